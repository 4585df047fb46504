// A connector at a glance: what keeps it from working, what runs, who is rejected most,
// and what happened.
import { useEffect, useRef, useState } from "preact/hooks";
import { call, type Schemas } from "../api.ts";
import { now } from "../clock.ts";
import { What } from "../parts/change.tsx";
import { type Connector, ConnectorPage } from "../parts/connector.tsx";
import { Button } from "../parts/controls.tsx";
import { healthOf, problemsOf } from "../parts/health.tsx";
import { tell } from "../parts/live.tsx";
import { BatchesOf, ended, isOpen, Pause, Progress, type Run, StateOf, whom } from "../parts/run.tsx";
import { Loaded } from "../parts/state.tsx";
import { Steps } from "../parts/steps.tsx";
import { Count, Machine, Sentence, Time } from "../parts/text.tsx";
import { to } from "../place.ts";
import { usePolled } from "../polled.ts";
import { remedyOf } from "../remedies.ts";
import { byDay, type Entry, figuresOf, timelineOf, until } from "../runs.ts";
import * as sentences from "../sentences.ts";
import { exact, known, moment, relative, t } from "../words.ts";

export function Overview({ id }: { id: string }) {
  return (
    <ConnectorPage id={id} tab="overview">
      {(connector) => (
        <>
          <Problems of={connector} />
          {healthOf(connector) === "new" ? <Steps connector={connector} /> : <Running of={connector} />}
          <Imports of={connector} />
          <Groups id={id} />
          <Timeline id={id} />
        </>
      )}
    </ConnectorPage>
  );
}

function Problems({ of: c }: { of: Connector }) {
  return (
    <>
      {problemsOf(c.problems).map((problem) => {
        const { text, remedy } = sentences.problem(problem);
        const button = remedyOf(c.id, problem);
        return (
          <section class="notice" data-kind="failed" key={problem.source}>
            <p>
              <strong><Sentence of={text} /></strong>
            </p>
            <p><Sentence of={remedy} /></p>
            <p>
              {t("problem.since", { at: moment(problem.since) })} {problem.next_probe && t("problem.again", { at: moment(problem.next_probe) })}
            </p>
            {button && <p><a class="button" href={button.link}>{t(button.word)}</a></p>}
          </section>
        );
      })}
    </>
  );
}

// Running is the open run, or what happens next.
function Running({ of: c }: { of: Connector }) {
  const run = c.open_run;
  useEndOf(c);
  return (
    <section>
      <h2>{t("overview.run")}</h2>
      {run ? (
        <>
          <p>
            <a href={to(["connectors", c.id, "runs", run.id])}>{t("overview.run_since", { at: moment(run.started) })}</a> {run.cancelled && t("run.state.cancelling")}
          </p>
          <Progress connector={c} run={run} />
          <BatchesOf connector={c.id} run={run} />
          <Pause />
        </>
      ) : (
        <Idle of={c} />
      )}
    </section>
  );
}

// useEndOf says once how the open run of a connector ended while one looked at it.
function useEndOf(c: Connector): void {
  const before = useRef<Run | undefined>(undefined);
  useEffect(() => {
    const was = before.current;
    before.current = c.open_run;
    if (!was || was.id === c.open_run?.id) return;
    call("readRun", { path: { id: c.id, run: was.id } })
      .then(({ data }) => isOpen(data) || tell(ended(data)))
      .catch(() => undefined); // it stands in the list of runs
  }, [c.open_run?.id]);
}

function Idle({ of: c }: { of: Connector }) {
  const last = c.figures?.last_run;
  const done = last && last.totals.pending === 0 && Object.keys(c.problems).length === 0;
  const next = c.next_runs?.[0];
  return (
    <>
      <p>
        {done && c.status === "running" && t("overview.done")}{" "}
        {c.status === "running" ? (next ? (Date.parse(next) > now() ? t("overview.next", { at: moment(next) }) : t("overview.due")) : t("overview.no_next")) : t(c.status === "completed" ? "overview.completed" : "overview.stopped")}
      </p>
      {c.odk?.done_until && <p>{t("overview.done_until", { at: moment(c.odk.done_until) })}</p>}
      {last && (
        <p>
          <a href={to(["connectors", c.id, "runs", last.id])}>{t("overview.last_run", { when: relative(last.completed) })}</a> <Outcome key={last.id} connector={c.id} run={last.id} />
        </p>
      )}
    </>
  );
}

// Outcome is what a run that is over came to, with those who were rejected unsent.
function Outcome({ connector, run }: { connector: string; run: string }) {
  const { data } = usePolled(`outcome ${run}`, async () => (await call("readRun", { path: { id: connector, run } })).data);
  if (!data) return null;
  const { tokenised, rejected } = figuresOf(data);
  return <>{t("overview.last_totals", { tokenised, rejected })}</>;
}

function Imports({ of: c }: { of: Connector }) {
  if (!c.imports?.length) return null;
  return (
    <section>
      <h2>{t("overview.imports")}</h2>
      {c.imports.map((run) => <OpenImport key={run} connector={c} run={run} />)}
    </section>
  );
}

function OpenImport({ connector: c, run: id }: { connector: Connector; run: string }) {
  const polled = usePolled(`run ${id}`, async () => (await call("readRun", { path: { id: c.id, run: id } })).data, (run) => (run && !isOpen(run) ? 0 : 5_000));
  return (
    <Loaded of={polled}>
      {(run) => (
        <>
          <p><a href={to(["connectors", c.id, "runs", run.id])}>{whom(run)}</a></p>
          <Progress connector={c} run={run} />
        </>
      )}
    </Loaded>
  );
}

const shown = 3;

function Groups({ id }: { id: string }) {
  const polled = usePolled(`groups ${id}`, async () => (await call("listGroups", { path: { id } })).data, 30_000);
  const page = ["connectors", id, "rejections"];
  return (
    <section>
      <h2>{t("overview.rejections")}</h2>
      <Loaded of={polled}>
        {({ groups, total }) =>
          total === 0 ? (
            <p>{t("overview.nobody_rejected")}</p>
          ) : (
            <>
              <table>
                <thead>
                  <tr>
                    <th scope="col">{t("overview.reason")}</th>
                    <th scope="col" class="number">{t("overview.count")}</th>
                  </tr>
                </thead>
                <tbody>
                  {largest(groups).map((group) => (
                    <tr key={`${group.kind} ${group.code}`}>
                      <td data-label={t("overview.reason")} class="long"><Why of={group} /></td>
                      <td class="number" data-label={t("overview.count")}>
                        <a href={to(page, { kind: group.kind, code: group.code })} aria-label={t("overview.show_group", { count: group.count })}><Count of={group.count} /></a>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
              <p><a href={to(page)}>{t("overview.all_rejections", { count: total })}</a></p>
            </>
          )
        }
      </Loaded>
    </section>
  );
}

const largest = (groups: Schemas["RejectionGroup"][]) => [...groups].sort((a, b) => b.count - a.count).slice(0, shown);

function Why({ of }: { of: Schemas["RejectionGroup"] }) {
  const kind = known(`rejection.kind.${of.kind}`);
  const said = sentences.reasons(of);
  return <>{said.length ? said.map((one, at) => <span key={at}><Sentence of={one} /> </span>) : kind ? t(kind) : <Machine>{of.kind}</Machine>}</>;
}

const pieces = 10; // of each list

// Timeline is what happened last, by day. It moves when who reads it says so.
function Timeline({ id }: { id: string }) {
  const read = async () => {
    const query = { limit: pieces };
    const [runs, changes] = await Promise.all([call("listRuns", { path: { id }, query }), call("listChanges", { path: { id }, query })]);
    const end = <T,>(next: string | undefined, list: T[], at: (entry: T) => string) => (next && list.length ? at(list.at(-1)!) : undefined);
    return until(timelineOf(runs.data.runs, changes.data.changes), [
      end(runs.data.next, runs.data.runs, (run) => run.started),
      end(changes.data.next, changes.data.changes, (change) => change.at),
    ]);
  };
  const polled = usePolled(`timeline ${id}`, read, 15_000);
  const first = useRef<Set<string> | undefined>(undefined);
  const list = useRef<HTMLDivElement>(null);
  const [, draw] = useState(0);
  if (polled.data && !first.current) first.current = new Set(polled.data.map((entry) => entry.id));
  const fresh = polled.data?.filter((entry) => !first.current!.has(entry.id)).length ?? 0;
  const show = () => {
    first.current = new Set(polled.data!.map((entry) => entry.id));
    draw((n) => n + 1);
    list.current?.focus(); // the button goes
  };
  return (
    <section>
      <h2>{t("overview.history")}</h2>
      {fresh > 0 && <p><Button onClick={show}>{t("list.new", { count: fresh })}</Button></p>}
      <div ref={list} tabIndex={-1}>
      <Loaded of={polled}>
        {(entries) => {
          const seen = entries.filter((entry) => first.current!.has(entry.id));
          if (!seen.length) return <p>{t("overview.no_history")}</p>;
          return byDay(seen, (at) => exact(at, { dateStyle: "full" })).map(({ day, entries: ofDay }) => (
            <section key={day}>
              <h3>{day}</h3>
              <ul class="plain">{ofDay.map((entry) => <li key={entry.id}><Happened connector={id} of={entry} /></li>)}</ul>
            </section>
          ));
        }}
      </Loaded>
      </div>
    </section>
  );
}

function Happened({ connector, of }: { connector: string; of: Entry }) {
  const at = <><Time at={of.at} as="time" /> </>;
  if ("change" in of) return <>{at}<What of={of.change} /></>;
  const { tokenised, rejected } = figuresOf(of.run);
  return (
    <>
      {at}
      <a href={to(["connectors", connector, "runs", of.run.id])}>{whom(of.run)}</a> <StateOf run={of.run} /> {t("overview.last_totals", { tokenised, rejected })}
    </>
  );
}

