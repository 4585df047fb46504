// Imports: registrants are sent now, beside the recurring run.
import type { TargetedEvent } from "preact";
import { useId, useRef, useState } from "preact/hooks";
import { call, Refused, type Schemas } from "../api.ts";
import { instant } from "../form/times.ts";
import { useAction } from "../parts/action.ts";
import { type Connector, ConnectorPage } from "../parts/connector.tsx";
import { Button } from "../parts/controls.tsx";
import { tell } from "../parts/live.tsx";
import { PagedList } from "../parts/paged.tsx";
import { isOpen, Progress, whom } from "../parts/run.tsx";
import { Fault } from "../parts/state.tsx";
import { Machine, Sentence } from "../parts/text.tsx";
import { to } from "../place.ts";
import { usePaged } from "../paged.ts";
import { Keys, listedIn, randomKey } from "../runs.ts";
import * as sentences from "../sentences.ts";
import { list, moment, t, zone } from "../words.ts";
import { Cancel, RunTable } from "./runs.tsx";

export function Imports({ id }: { id: string }) {
  return <ConnectorPage id={id} tab="runs" title={t("imports.title")}>{(connector, { refresh }) => <Content of={connector} refresh={refresh} />}</ConnectorPage>;
}

function Content({ of: c, refresh }: { of: Connector; refresh: () => void }) {
  const paged = usePaged(
    `imports ${c.id}`,
    async (cursor) => {
      const { data } = await call("listImports", { path: { id: c.id }, query: { cursor } });
      return { entries: data.imports, next: data.next };
    },
    (run) => run.id,
    (page) => (page?.entries.some(isOpen) ? 3_000 : 10_000),
  );
  const again = () => {
    refresh();
    paged.refresh();
  };
  return (
    <>
      <New of={c} opened={again} />
      <PagedList of={paged} empty={<p>{t("imports.empty")}</p>}>
        {(runs) => (
          <>
            {runs.filter(isOpen).map((run) => (
              <section key={run.id}>
                <h2>{t("imports.open")}</h2>
                <p><a href={to(["connectors", c.id, "runs", run.id])}>{whom(run)}</a>, {t("run.begun", { at: moment(run.started) })}</p>
                <Progress connector={c} run={run} />
                <Cancel connector={c.id} run={run} refresh={again} />
              </section>
            ))}
            <h2>{t("imports.all")}</h2>
            <RunTable connector={c.id} runs={runs} />
          </>
        )}
      </PagedList>
    </>
  );
}

const words = { all: "imports.everybody", list: "imports.list", domain: "imports.domain", window: "imports.window" } as const;
type Way = keyof typeof words;
const waysOf = (c: Connector): Way[] => (c.odk ? ["all", "window"] : ["all", "list", "domain"]);

const most = 10_000; // registrants of a list

function New({ of: c, opened }: { of: Connector; opened: () => void }) {
  const [way, choose] = useState<Way>("all");
  const [text, setText] = useState("");
  const [domain, setDomain] = useState("");
  const [window, setWindow] = useState({ from: "", to: "" });
  const [wrong, setWrong] = useState("");
  const keys = useRef(new Keys(randomKey));
  const act = useAction();
  const listed = listedIn(text);
  const flaws = act.fault instanceof Refused ? (act.fault.problem.errors ?? []) : [];
  const fix = (said: string) => {
    act.clear();
    setWrong(said);
  };
  const open = () => {
    if (way === "list" && listed.wrong.length) return fix(t("imports.not_numbers", { what: list(listed.wrong.slice(0, 5)) }));
    if (way === "list" && !listed.ids.length) return fix(t("imports.no_numbers"));
    if (way === "list" && listed.ids.length > most) return fix(t("imports.above_most", { most }));
    if (way === "domain" && !domain.trim()) return fix(t("imports.no_domain"));
    if (way === "window" && !(window.from && window.to)) return fix(t("imports.no_window"));
    setWrong("");
    const bodies: Record<Way, Schemas["Import"]> = {
      all: {},
      list: { registrants: listed.ids },
      domain: { domain: domain.trim() },
      window: { window: { from: instant(window.from, zone.value), to: instant(window.to, zone.value) } },
    };
    const body = bodies[way];
    act.run(async () => {
      const { data } = await call("openImport", { path: { id: c.id }, body, headers: { "Idempotency-Key": keys.current.of(body) } });
      keys.current.done();
      setText("");
      setDomain("");
      setWindow({ from: "", to: "" });
      tell(t("imports.opened", { whom: whom(data) }));
      opened();
    });
  };
  const heading = useId();
  return (
    <section aria-labelledby={heading}>
      <h2 id={heading}>{t("imports.new")}</h2>
      <p>{t("imports.text")}</p>
      <fieldset>
        <legend>{t("imports.whom")}</legend>
        {waysOf(c).map((one) => (
          <label key={one} class="choice">
            <input type="radio" name="whom" checked={way === one} onChange={() => (fix(""), choose(one))} /> {t(words[one])}
          </label>
        ))}
      </fieldset>
      {way === "list" && (
        <Text label={t("imports.numbers")} hint={listed.ids.length ? t("imports.counted", { count: listed.ids.length }) : t("imports.numbers_hint", { most })} value={text} onInput={setText} wrong={wrong} flaws={flaws} />
      )}
      {way === "domain" && <Text label={t("imports.filter")} hint={t("imports.filter_hint")} value={domain} onInput={setDomain} wrong={wrong} flaws={flaws} example={`[["is_registrant", "=", true]]`} />}
      {way === "window" && <Times of={window} put={setWindow} wrong={wrong} flaws={flaws} />}
      {act.fault && <Fault of={act.fault} />}
      <div class="actions">
        <Button kind="main" makes="openImport" onClick={open}>{t("imports.import")}</Button>
      </div>
    </section>
  );
}

interface Wrong {
  wrong: string;
  flaws: Schemas["FieldError"][];
}

interface TextProps extends Wrong {
  label: string;
  hint: string;
  value: string;
  onInput: (text: string) => void;
  example?: string;
}

function Flaws({ id, wrong, flaws }: Wrong & { id: string }) {
  if (!wrong && flaws.length === 0) return null;
  return (
    <div class="error" id={`${id}-error`} role="alert">
      {wrong && <p>{wrong}</p>}
      {flaws.map((flaw, at) => <p key={at}><Sentence of={sentences.fieldError(flaw)} /></p>)}
    </div>
  );
}

// Times are the two ends of a window, on the clocks of the page's zone.
function Times({ of, put, wrong, flaws }: Wrong & { of: { from: string; to: string }; put: (window: { from: string; to: string }) => void }) {
  const id = useId();
  const errors = wrong || flaws.length > 0;
  return (
    <fieldset class="field" aria-describedby={errors ? `${id}-hint ${id}-error` : `${id}-hint`}>
      <legend>{t("imports.window")}</legend>
      <p class="hint" id={`${id}-hint`}>{t("frame.zone", { zone: zone.value })}</p>
      <Flaws id={id} wrong={wrong} flaws={flaws} />
      {(["from", "to"] as const).map((end) => (
        <p key={end} class="field">
          <label for={`${id}-${end}`}>{t(`imports.${end}`)}</label>
          <input id={`${id}-${end}`} type="datetime-local" value={of[end]} aria-invalid={errors ? true : undefined} onInput={(event) => put({ ...of, [end]: event.currentTarget.value })} />
        </p>
      ))}
    </fieldset>
  );
}

function Text({ label, hint, value, onInput, wrong, flaws, example }: TextProps) {
  const id = useId();
  const errors = wrong || flaws.length > 0;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <p class="hint" id={`${id}-hint`}>{hint} {example && <Machine>{example}</Machine>}</p>
      <Flaws id={id} wrong={wrong} flaws={flaws} />
      <textarea id={id} dir="ltr" rows={6} spellcheck={false} value={value} aria-invalid={errors ? true : undefined} aria-describedby={errors ? `${id}-hint ${id}-error` : `${id}-hint`}
        onInput={(event: TargetedEvent<HTMLTextAreaElement>) => onInput(event.currentTarget.value)} />
    </div>
  );
}
