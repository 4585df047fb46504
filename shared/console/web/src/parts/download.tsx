// A list as a file for people.
import { useEffect, useRef, useState } from "preact/hooks";
import { csv } from "../api.ts";
import { now as time } from "../clock.ts";
import { everyPage, type Filter } from "../rejections.ts";
import { t } from "../words.ts";
import { Button } from "./controls.tsx";
import { say } from "./live.tsx";
import { Fault } from "./state.tsx";

type State = { state: "ready" } | { state: "reading"; rows: number } | { state: "done"; rows: number } | { state: "failed"; fault: Error };

// Download saves all rejections that a filter selects as one CSV file, with times in
// UTC. Nothing of it stays in the page.
export function Download({ connector, filter, name }: { connector: string; filter: Filter; name?: string }) {
  const [now, set] = useState<State>({ state: "ready" });
  const stop = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => stop.current?.abort(), []);
  const begin = async () => {
    stop.current?.abort();
    const mine = (stop.current = new AbortController());
    set({ state: "reading", rows: 0 });
    const { signal } = mine;
    try {
      // A cursor holds the filter.
      const read = (cursor?: string) => csv("listRejections", { path: { id: connector }, query: cursor ? { cursor } : { ...filter }, signal });
      const { file, rows } = await everyPage(read, (seen) => signal.aborted || set({ state: "reading", rows: seen }));
      if (signal.aborted) return;
      save(file, `rejections-${new Date(time()).toISOString().slice(0, 10)}.csv`);
      set({ state: "done", rows });
      say(t("csv.done", { count: rows }));
    } catch (fault) {
      if (!signal.aborted) set({ state: "failed", fault: fault as Error });
    }
  };
  const cancel = () => {
    stop.current?.abort();
    set({ state: "ready" });
    say(t("csv.cancelled"));
  };
  if (now.state === "reading") {
    return (
      <span class="with-reason">
        <Button onClick={cancel} name={name && `${t("csv.cancel")}: ${name}`}>{t("csv.cancel")}</Button>
        <span class="reason">{t("csv.rows", { count: now.rows })}</span>
      </span>
    );
  }
  return (
    <span class="with-reason">
      <Button onClick={() => void begin()} makes="listRejections" name={name && `${t("csv.download")}: ${name}`}>{t("csv.download")}</Button>
      {now.state === "done" && <span class="reason">{t("csv.done", { count: now.rows })}</span>}
      {now.state === "failed" && <Fault of={now.fault} again={() => void begin()} />}
    </span>
  );
}

function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser reads it meanwhile
}
