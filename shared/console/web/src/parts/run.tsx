// A run: how far it is, how fast, and its batches.
import { useEffect, useRef } from "preact/hooks";
import { call, type Schemas } from "../api.ts";
import { now } from "../clock.ts";
import { to } from "../place.ts";
import { paused, usePolled } from "../polled.ts";
import { figuresOf, line, paceOf, stepsOf } from "../runs.ts";
import * as sentences from "../sentences.ts";
import { exact, moment, t } from "../words.ts";
import { Bar, type Part } from "./bar.tsx";
import { Button } from "./controls.tsx";
import { Tag } from "./health.tsx";
import { Disclosure } from "./disclosure.tsx";
import { tell } from "./live.tsx";
import { Loaded } from "./state.tsx";
import { Count, Sentence, Time } from "./text.tsx";

export type Run = Schemas["Run"];
type Batch = Schemas["Batch"];

export const isOpen = (run: Run) => run.state === "open";

// whom says whom a run takes.
export function whom(run: Run): string {
  if (run.kind === "recurring") return t("run.recurring");
  if (run.selection?.window) return t("run.window", { window: windowOf(run.selection.window) });
  if (run.selection?.registrants) return t("run.listed", { count: run.selection.registrants });
  return run.selection?.domain ? t("run.filtered") : t("run.everybody");
}

// windowOf says within which times ODK Central received submissions.
export function windowOf({ from, to }: { from: string; to: string }): string {
  const at = (time: string) => exact(time, { dateStyle: "medium", timeStyle: "medium" });
  return Date.parse(from) > 0 ? t("window.between", { from: at(from), to: at(to) }) : t("window.before", { to: at(to) });
}

// StateOf is the state of a run in a word, and why it ended early.
export function StateOf({ run }: { run: Run }) {
  if (isOpen(run)) return <Tag kind="active" word={run.cancelled ? "run.state.cancelling" : "run.state.open"} />;
  if (run.ended_by) return <><Tag kind="look" word={run.state === "cancelled" ? "run.state.cancelled" : "run.state.early"} /> {run.ended_by !== "cancelled" && t(`run.ended_by.${run.ended_by}`)}</>;
  return <Tag kind="ok" word="run.state.completed" />;
}

// ended is what is said once of a run that is over.
export function ended(run: Run): string {
  const { tokenised, rejected } = figuresOf(run);
  return t(run.ended_by ? "run.ended_early" : "run.finished", { tokenised, rejected });
}

// useEnd says once that a run ended while one looked at it.
export function useEnd(run?: Run): void {
  const before = useRef<Run | undefined>(undefined);
  useEffect(() => {
    const was = before.current;
    before.current = run;
    if (run && was?.id === run.id && isOpen(was) && !isOpen(run)) tell(ended(run));
  }, [run]);
}

// Progress is the bar of a run with its figures, its pace, and when it should end.
export function Progress({ connector, run }: { connector: Pick<Schemas["Connector"], "id" | "problems">; run: Run }) {
  const { tokenised, rejected, waiting, left } = figuresOf(run);
  const open = isOpen(run);
  const base = ["connectors", connector.id];
  const parts: Part[] = [
    { kind: "tokenised", text: t("run.tokenised"), count: tokenised },
    { kind: "rejected", text: t("run.rejected"), count: rejected, link: rejected ? to([...base, "rejections"], { since: run.started }) : undefined },
    { kind: "waiting", text: t(open ? "run.waiting" : "run.unanswered"), count: waiting, link: waiting ? to([...base, "runs", run.id]) : undefined },
  ];
  if (open && left !== undefined) parts.push({ kind: "left", text: t("run.left"), count: left });
  const pace = run.records_per_second ? paceOf(run.records_per_second) : undefined;
  return (
    <>
      <Bar parts={parts} />
      {open && (
        <p>
          {pace && t(`run.pace.${pace.unit}`, { rate: pace.rate })} {run.expected_end && t("run.end", { at: moment(run.expected_end) })}
          {!pace && t(Object.keys(connector.problems).length ? "run.blocked" : "run.no_pace")}
        </p>
      )}
      {run.note && <p><Sentence of={sentences.note(run.note)} /></p>}
    </>
  );
}

// Pause stops reading again, until it goes on or the page is left.
export function Pause() {
  useEffect(() => () => void (paused.value = false), []);
  return (
    <p>
      <Button onClick={() => (paused.value = !paused.value)}>{t(paused.value ? "live.resume" : "live.pause")}</Button> {paused.value && t("live.paused")}
    </p>
  );
}

const page = 100; // batches of a page of the API
const most = 5; // pages that are read of a run

interface Batches {
  batches: Batch[];
  complete: boolean;
}

// useBatches reads the batches of a run, those under way first.
function useBatches(connector: string, run: Run) {
  const every = () => (isOpen(run) ? (run.totals.sent > page * 50 ? 15_000 : 5_000) : 0);
  return usePolled<Batches>(
    `batches ${run.id} ${run.state}`,
    async () => {
      const batches: Batch[] = [];
      let cursor: string | undefined;
      for (let read = 0; read < most; read++) {
        const { data } = await call("listBatches", { path: { id: connector, run: run.id }, query: { limit: page, cursor } });
        batches.push(...data.batches);
        cursor = data.next;
        if (!cursor) break;
      }
      // In the order in which they were sent, so that none moves when it is answered.
      batches.sort((a, b) => (a.claimed === b.claimed ? (a.id < b.id ? -1 : 1) : a.claimed < b.claimed ? -1 : 1));
      return { batches, complete: !cursor };
    },
    every,
  );
}

// BatchesOf is the table of batches behind a disclosure.
export function BatchesOf({ connector, run }: { connector: string; run: Run }) {
  return <Disclosure summary={t("run.batches")}>{() => <Table connector={connector} run={run} />}</Disclosure>;
}

function Table({ connector, run }: { connector: string; run: Run }) {
  return <Loaded of={useBatches(connector, run)}>{(read) => <BatchTable of={read} />}</Loaded>;
}

function BatchTable({ of: { batches, complete } }: { of: Batches }) {
  if (!batches.length) return <p>{t("run.no_batches")}</p>;
  const windows = batches.some((batch) => batch.window || batch.submissions);
  return (
    <>
      {!complete && <p>{t("run.first_batches", { count: batches.length })}</p>}
      <table>
        <thead>
          <tr>
            <th scope="col">{t("batch.sent_at")}</th>
            <th scope="col">{t("batch.state")}</th>
            {windows && <th scope="col">{t("batch.window")}</th>}
            <th scope="col" class="number">{t("batch.count")}</th>
            <th scope="col" class="number">{t("runs.tokenised")}</th>
            <th scope="col" class="number">{t("runs.rejected")}</th>
            <th scope="col">{t("batch.answered_at")}</th>
          </tr>
        </thead>
        <tbody>
          {batches.map((batch) => (
            <tr key={batch.id}>
              <th scope="row"><Time at={batch.claimed} /></th>
              <td data-label={t("batch.state")}>{batchState(batch)}</td>
              {windows && <td data-label={t("batch.window")}>{batch.window ? windowOf(batch.window) : t("batch.by_id")}</td>}
              <td data-label={t("batch.count")} class="number"><Count of={batch.count} /></td>
              <td data-label={t("runs.tokenised")} class="number"><Count of={batch.totals.tokenised} /></td>
              <td data-label={t("runs.rejected")} class="number"><Count of={batch.totals.refused + batch.totals.duplicate + batch.totals.conflict + batch.totals.no_token} /></td>
              <td data-label={t("batch.answered_at")}>{batch.state === "patched" && batch.closed ? <Time at={batch.closed} /> : ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function batchState(batch: Batch): string {
  return t(`batch.state.${batch.state}`, { at: moment(batch.deadline) });
}

const width = 600;
const height = 120;

// Pace is the line of registrants tokenised, batch by batch, and the same as a table.
export function Pace({ connector, run }: { connector: string; run: Run }) {
  const read = useBatches(connector, run);
  return (
    <section>
      <h2>{t("run.pace_title")}</h2>
      <Loaded of={read}>
        {(of) => {
          const steps = stepsOf(run.started, of.batches);
          const last = steps.at(-1)!;
          const until = isOpen(run) ? now() : Math.max(last.at, Date.parse(run.completed ?? run.started));
          return (
            <>
              {steps.length > 2 && (
                <figure class="line">
                  <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
                    <path d={line(steps, until, width, height)} />
                  </svg>
                  <figcaption>{t("run.pace_caption", { from: moment(run.started), until: moment(new Date(until)), total: last.count })}</figcaption>
                </figure>
              )}
              <Disclosure summary={t("run.batches")}>{() => <BatchTable of={of} />}</Disclosure>
            </>
          );
        }}
      </Loaded>
    </section>
  );
}

