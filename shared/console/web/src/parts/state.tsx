import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Away, Refused } from "../api.ts";
import type { Polled } from "../polled.ts";
import * as sentences from "../sentences.ts";
import { SessionOver } from "../session.ts";
import { exact, t } from "../words.ts";
import { Button } from "./controls.tsx";
import { Sentence } from "./text.tsx";

// Loaded shows what was read: nothing for a moment, then that it is read; what was
// read before, marked as such, while reading fails.
export function Loaded<T>({ of, children }: { of: Polled<T>; children: (data: T) => ComponentChildren }) {
  if (of.data === undefined) return of.fault ? <Fault of={of.fault} again={of.refresh} /> : <Loading />;
  // What is refused is not tried again.
  const refused = of.fault instanceof Refused && of.fault.status < 500 && of.fault.status !== 429;
  if (refused && (of.fault as Refused).status === 404) return <Fault of={of.fault!} />;
  return (
    <>
      {refused ? <Fault of={of.fault!} /> : of.fault && !(of.fault instanceof SessionOver) && <Stale fault={of.fault} asOf={of.asOf} />}
      <div class={of.fault ? "stale" : undefined}>{children(of.data)}</div>
    </>
  );
}

function Stale({ fault, asOf }: { fault: Error; asOf?: Date }) {
  const at = asOf ? exact(asOf, { timeStyle: "short" }) : "";
  return <p class="notice" data-kind="look">{t(fault instanceof Away ? "state.stale_away" : "state.stale", { at })}</p>;
}

export function Loading() {
  const [shown, show] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => show(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return <p aria-busy="true">{shown && t("state.loading")}</p>;
}

// Fault says what went wrong, and what can be done about it.
export function Fault({ of, again }: { of: Error; again?: () => void }) {
  const button = again && <Button onClick={again}>{t("action.again")}</Button>;
  if (of instanceof SessionOver) return null; // the frame says so
  if (of instanceof Refused) {
    const { title, detail } = sentences.refusal(of);
    return (
      <div class="notice" data-kind="failed" role="alert">
        <p>
          <strong>
            <Sentence of={title} />
          </strong>
        </p>
        <p>
          <Sentence of={detail} />
        </p>
        {(of.status >= 500 || of.status === 429) && button}
      </div>
    );
  }
  return (
    <div class="notice" data-kind="failed" role="alert">
      <p>{t("state.away")}</p>
      {button}
    </div>
  );
}
