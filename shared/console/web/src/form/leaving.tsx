import { useEffect, useState } from "preact/hooks";
import { Button, Dialog } from "../parts/controls.tsx";
import { guarded } from "../place.ts";
import { session } from "../session.ts";
import { t } from "../words.ts";

// Leaving asks before what is typed is lost: on another page, and when the tab is
// closed.
export function Leaving({ dirty }: { dirty: boolean }) {
  const [leave, setLeave] = useState<(() => void) | undefined>(undefined);
  useEffect(() => {
    if (!dirty) return;
    const unload = (event: BeforeUnloadEvent) => {
      if (session.value.kind === "signed_out") return; // it was asked before that
      event.preventDefault();
      event.returnValue = ""; // Chrome 109 asks for this one only
    };
    addEventListener("beforeunload", unload);
    guarded((goes) => setLeave(() => goes));
    return () => {
      removeEventListener("beforeunload", unload);
      guarded(undefined);
    };
  }, [dirty]);
  if (!leave) return null;
  return (
    <Dialog title={t("form.leave_title")} close={() => setLeave(undefined)} closeLabel={t("form.leave_stay")}
      actions={<Button kind="danger" onClick={leave}>{t("form.leave")}</Button>}>
      <p>{t("form.leave_text")}</p>
    </Dialog>
  );
}
