// The runs of a connector, and one of them.
import { useEffect, useRef, useState } from "preact/hooks";
import { call } from "../api.ts";
import { useAction } from "../parts/action.ts";
import { type Connector, ConnectorPage } from "../parts/connector.tsx";
import { Button, Dialog } from "../parts/controls.tsx";
import { tell } from "../parts/live.tsx";
import { focusHeading } from "../parts/page.tsx";
import { PagedList } from "../parts/paged.tsx";
import { isOpen, Pace, Pause, Progress, type Run as OneRun, StateOf, useEnd, whom, windowOf } from "../parts/run.tsx";
import { Fault, Loaded } from "../parts/state.tsx";
import { Count, Machine, Time } from "../parts/text.tsx";
import { to } from "../place.ts";
import { usePaged } from "../paged.ts";
import { usePolled } from "../polled.ts";
import { figuresOf } from "../runs.ts";
import { moment, t } from "../words.ts";

export function Runs({ id }: { id: string }) {
  return <ConnectorPage id={id} tab="runs">{(connector) => <List of={connector} />}</ConnectorPage>;
}

function List({ of: c }: { of: Connector }) {
  const paged = usePaged(
    `runs ${c.id}`,
    async (cursor) => {
      const { data } = await call("listRuns", { path: { id: c.id }, query: { cursor } });
      return { entries: data.runs, next: data.next };
    },
    (run) => run.id,
    (page) => (page?.entries.some(isOpen) ? 3_000 : 10_000),
  );
  return <PagedList of={paged} empty={<p>{t("runs.empty")}</p>}>{(runs) => <RunTable connector={c.id} runs={runs} />}</PagedList>;
}

export function RunTable({ connector, runs }: { connector: string; runs: OneRun[] }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{t("runs.started")}</th>
          <th scope="col">{t("runs.whom")}</th>
          <th scope="col">{t("runs.state")}</th>
          <th scope="col" class="number">{t("runs.tokenised")}</th>
          <th scope="col" class="number">{t("runs.rejected")}</th>
          <th scope="col" class="number">{t("runs.pending")}</th>
          <th scope="col">{t("runs.ended")}</th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => {
          const { tokenised, rejected, waiting } = figuresOf(run);
          return (
            <tr key={run.id}>
              <th scope="row"><a href={to(["connectors", connector, "runs", run.id])}><Time at={run.started} as="exact" /></a></th>
              <td data-label={t("runs.whom")}>{whom(run)}</td>
              <td data-label={t("runs.state")}><StateOf run={run} /></td>
              <td data-label={t("runs.tokenised")} class="number"><Count of={tokenised} /></td>
              <td data-label={t("runs.rejected")} class="number"><Count of={rejected} /></td>
              <td data-label={t("runs.pending")} class="number"><Count of={waiting} /></td>
              <td data-label={t("runs.ended")}>{run.completed ? <Time at={run.completed} as="exact" /> : run.expected_end ? t("run.end", { at: moment(run.expected_end) }) : ""}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

export function Run({ id, run }: { id: string; run: string }) {
  return <ConnectorPage id={id} tab="runs" title={t("run.title")}>{(connector) => <One key={run} connector={connector} id={run} />}</ConnectorPage>;
}

function One({ connector, id }: { connector: Connector; id: string }) {
  const polled = usePolled(`run ${id}`, async () => (await call("readRun", { path: { id: connector.id, run: id } })).data, (run) => (run && !isOpen(run) ? 0 : 3_000));
  useEnd(polled.data);
  return <Loaded of={polled}>{(run) => <Shown connector={connector} run={run} refresh={polled.refresh} />}</Loaded>;
}

function Shown({ connector, run, refresh }: { connector: Connector; run: OneRun; refresh: () => void }) {
  return (
    <>
      <h2>{whom(run)}</h2>
      <p>
        <StateOf run={run} /> {t("run.begun", { at: moment(run.started) })} {run.completed && t("run.over", { at: moment(run.completed) })}
      </p>
      {run.selection?.domain && <pre dir="ltr">{run.selection.domain}</pre>}
      <Progress connector={connector} run={run} />
      {isOpen(run) && (
        <div class="actions">
          <Cancel connector={connector.id} run={run} refresh={refresh} />
          <Pause />
        </div>
      )}
      <Pace connector={connector.id} run={run} />
      <Tally run={run} />
      {run.looks && run.looks.spans.length > 0 && <Looks of={run.looks} />}
      {run.selection?.registrants !== undefined && <Listed connector={connector.id} run={run} />}
    </>
  );
}

// Cancel asks before it ends a run or an import.
export function Cancel({ connector, run, refresh }: { connector: string; run: OneRun; refresh: () => void }) {
  const [asks, ask] = useState(false);
  const act = useAction();
  const done = useRef(false);
  useEffect(() => {
    if (run.cancelled && done.current) focusHeading(); // the button is gone
  }, [run.cancelled]);
  const word = run.kind === "import" ? "import" : "run";
  const cancel = () =>
    act.run(async () => {
      await call("cancelRun", { path: { id: connector, run: run.id } });
      ask(false);
      done.current = true;
      tell(t(`cancel.${word}_done`));
      refresh();
    });
  if (run.cancelled) return null;
  return (
    <>
      <Button kind="danger" makes="cancelRun" name={`${t(`cancel.${word}`)}: ${whom(run)}, ${moment(run.started)}`} onClick={() => ask(true)}>{t(`cancel.${word}`)}</Button>
      {asks && (
        <Dialog
          title={t(`cancel.${word}_question`)}
          close={() => ask(false)}
          closeLabel={t("cancel.keep")}
          actions={<Button kind="danger" onClick={cancel}>{t(`cancel.${word}`)}</Button>}
        >
          <p>{t("cancel.text")}</p>
          {act.fault && <Fault of={act.fault} />}
        </Dialog>
      )}
    </>
  );
}

const counted = ["looked", "invalid", "rejected", "holding", "in_batch", "not_selected", "not_found", "no_vid", "removed"] as const;

// Tally is what became of the VIDs that were looked at and not sent.
function Tally({ run }: { run: OneRun }) {
  return (
    <section>
      <h2>{t("tally.title")}</h2>
      <dl class="figures">
        {counted.map((one) => {
          const count = run.tally[one];
          return count === undefined || (count === 0 && one !== "looked") ? null : (
            <div key={one}>
              <dt>{t(`tally.${one}`)}</dt>
              <dd><Count of={count} /></dd>
            </div>
          );
        })}
      </dl>
    </section>
  );
}

// Looks is at what of a form a run of ODK looks.
function Looks({ of }: { of: NonNullable<OneRun["looks"]> }) {
  return (
    <section>
      <h2>{t("looks.title")}</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("batch.window")}</th>
            <th scope="col" class="number">{t("batch.count")}</th>
          </tr>
        </thead>
        <tbody>
          {of.spans.map((span) => (
            <tr key={span.from}>
              <th scope="row">{windowOf(span)}</th>
              <td data-label={t("batch.count")} class="number"><Count of={span.count} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

// Listed is what became of each registrant of a list.
function Listed({ connector, run }: { connector: string; run: OneRun }) {
  const paged = usePaged(
    `listed ${run.id}`,
    async (cursor) => {
      const { data } = await call("listListed", { path: { id: connector, run: run.id }, query: { cursor } });
      return { entries: data.registrants, next: data.next };
    },
    (one) => String(one.registrant),
    isOpen(run) ? 5_000 : 0,
  );
  return (
    <section>
      <h2>{t("listed.title")}</h2>
      <PagedList of={paged} empty={<p>{t("listed.empty")}</p>}>
        {(registrants) => (
          <table>
            <thead>
              <tr>
                <th scope="col">{t("listed.registrant")}</th>
                <th scope="col">{t("listed.outcome")}</th>
              </tr>
            </thead>
            <tbody>
              {registrants.map((one) => (
                <tr key={one.registrant}>
                  <th scope="row"><a href={to(["connectors", connector, "registrants", one.registrant])}><Machine>{one.registrant}</Machine></a></th>
                  <td data-label={t("listed.outcome")}>{t(`listed.${one.outcome}`)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </PagedList>
    </section>
  );
}
