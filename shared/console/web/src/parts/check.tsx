// Checks: asked once, read while they grow, and shown line by line.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { call, type Schemas } from "../api.ts";
import { gathered } from "../lines.ts";
import { type Polled, usePolled } from "../polled.ts";
import * as sentences from "../sentences.ts";
import { t } from "../words.ts";
import { say } from "./live.tsx";
import { Loaded } from "./state.tsx";
import { Sentence } from "./text.tsx";
import { Tag } from "./health.tsx";

export type Check = Schemas["Check"];

export const isOver = (check: Check) => check.state === "answered" || check.state === "failed";

// failures are the lines that keep a configuration from working.
export const failures = (check: Check) => check.lines.filter((line) => line.result === "failure");

// The checks that ended last, by connector, as long as the page is open.
const last = signal<Record<string, Check>>({});

export function lastCheck(connector: string): Check | undefined {
  return last.value[connector];
}

// remember keeps a check that is over as the last one of its connector.
export function remember(check: Check, connector = check.connector): void {
  if (connector && isOver(check) && !check.registrant) last.value = { ...last.value, [connector]: check };
}

// useCheck reads a check every second until it is over, and says once that it is.
export function useCheck(id: string): Polled<Check> {
  const polled = usePolled(`check ${id}`, async () => (await call("readCheck", { path: { check: id } })).data, (read) => (read && isOver(read) ? 0 : 1_000));
  const check = polled.data;
  const ended = Boolean(check && isOver(check));
  useEffect(() => {
    if (!check || !ended) return;
    if (!check.draft) remember(check);
    say(summary(check));
  }, [ended]);
  return polled;
}

export function summary(check: Check): string {
  if (check.state === "failed") return t("check.broken");
  const failed = failures(check).length;
  return failed ? t("check.failures", { count: failed }) : t("check.passed");
}

interface CheckedProps {
  id: string;
  // Where the field is that a line is about, if it can be reached from here.
  field?: (pointer: string) => string | undefined;
}

// Checked shows a check as it grows.
export function Checked({ id, field }: CheckedProps) {
  return (
    <Loaded of={useCheck(id)}>
      {(check) => (
        <>
          <Lines of={check.lines} field={field} />
          <p>{isOver(check) ? summary(check) : t("check.working")}</p>
        </>
      )}
    </Loaded>
  );
}

const words = { ok: "check.ok", warning: "check.look", failure: "check.failed", not_tried: "check.not_tried" } as const;
const kinds = { ok: "ok", warning: "look", failure: "failed", not_tried: "none" };

export function Lines({ of, field }: { of: Schemas["Line"][]; field?: CheckedProps["field"] }) {
  return (
    <ul class="lines">
      {gathered(of).map(({ line, also }, at) => {
        const { text, remedy } = sentences.line(line);
        const link = line.pointer && line.result !== "ok" ? field?.(line.pointer) : undefined;
        return (
          <li key={at}>
            <Tag kind={kinds[line.result]} word={words[line.result]} />{" "}
            <span>
              <Sentence of={text} />
              {remedy && <span class="remedy"> <Sentence of={remedy} /></span>}
              {also > 0 && <span class="remedy"> {t("check.also", { count: also })}</span>}
              {link && <> <a href={link}>{t("check.to_field")}</a></>}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
