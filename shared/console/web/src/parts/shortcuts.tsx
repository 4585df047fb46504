// The keys of the console: / leads into the search field, ? lists them.
import { signal } from "@preact/signals";
import type { TargetedEvent } from "preact";
import { useEffect, useState } from "preact/hooks";
import { t } from "../words.ts";
import { Button, Dialog } from "./controls.tsx";

// Whether single keys do something. It holds until the page is loaded again.
const used = signal(true);

// meant reports whether a key was pressed as a shortcut, and not to type something.
export function meant(event: KeyboardEvent, key: string): boolean {
  const inside = event.target instanceof HTMLElement && event.target.closest("input, textarea, select, dialog");
  return used.value && event.key === key && !event.ctrlKey && !event.metaKey && !event.altKey && !inside;
}

// Shortcuts is the button of the list, which the key ? opens too.
export function Shortcuts() {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (!meant(event, "?")) return;
      event.preventDefault();
      setOpen(true);
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
  return (
    <>
      <Button kind="plain" onClick={() => setOpen(true)}>{t("keys.title")}</Button>
      {open && (
        <Dialog title={t("keys.title")} close={() => setOpen(false)} closeLabel={t("action.close")} actions={null}>
          <dl class="figures">
            <div><dt><kbd>/</kbd></dt><dd>{t("keys.search")}</dd></div>
            <div><dt><kbd>?</kbd></dt><dd>{t("keys.list")}</dd></div>
            <div><dt><kbd>Esc</kbd></dt><dd>{t("keys.close")}</dd></div>
          </dl>
          <label class="choice">
            <input type="checkbox" checked={used.value} onChange={(event: TargetedEvent<HTMLInputElement>) => (used.value = event.currentTarget.checked)} /> {t("keys.used")}
          </label>
          <p class="hint">{t("keys.used_hint")}</p>
        </Dialog>
      )}
    </>
  );
}
