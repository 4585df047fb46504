// The rejections of a connector: by groups first, then those of a filter, which the
// address holds.
import { signal, useComputed } from "@preact/signals";
import type { TargetedEvent } from "preact";
import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import { call, type Schemas } from "../api.ts";
import { now } from "../clock.ts";
import { western } from "../digits.ts";
import { ConnectorPage } from "../parts/connector.tsx";
import { Button, Select } from "../parts/controls.tsx";
import { Download } from "../parts/download.tsx";
import { say, tell } from "../parts/live.tsx";
import { brief, Help, kindOf, Next, RegistrantLink, Submission, Why } from "../parts/rejection.tsx";
import { RetryDialog } from "../parts/retry.tsx";
import { Fault, Loaded } from "../parts/state.tsx";
import { Count, Machine, Time } from "../parts/text.tsx";
import { go, to } from "../place.ts";
import { usePolled } from "../polled.ts";
import { arranged, type Asked, asking, countOf, dayOf, type Filter, filterOf, type Group, type Id, idOf, isRegistrant, keyOf, kinds, namesOf, type Rejection, type Retry, retryOf, settled, some, startOfDay } from "../rejections.ts";
import { ofODK } from "../source.ts";
import { exact, moment, number, t, zone } from "../words.ts";
import { useAction } from "../parts/action.ts";
import { Paged, useMore } from "../parts/more.tsx";

interface Counted {
  groups: Group[];
  total: number;
  counted: string;
  complete: boolean;
}

// What was tried again from this page, by connector.
const tried = signal<Record<string, Record<string, Asked>>>({});

// The order in which the groups of a connector were drawn, and what they were last.
const drawn = new Map<string, { order: string[]; last: Map<string, Group> }>();

async function readGroups(connector: string): Promise<Counted> {
  const begun = now();
  const { data } = await call("listGroups", { path: { id: connector } });
  const before = tried.value[connector] ?? {};
  const after = settled(before, data, begun);
  if (after !== before) {
    tried.value = { ...tried.value, [connector]: after };
    const news = Object.keys(after).filter((key) => after[key] !== before[key]);
    say(news.map((key) => became(after[key]!)).join(" "));
  }
  return data;
}

// became is what a retry came to, or that it is waited for.
function became({ group, at, left }: Asked): string {
  const params = { count: group.count, at: moment(new Date(at)) };
  if (left === undefined) return t("retry.waiting", params);
  if (left > group.count) return t("retry.became_more", { ...params, left });
  return t("retry.became", { ...params, gone: group.count - left, left });
}

export function Rejections({ id, query }: { id: string; query: Record<string, string> }) {
  const filter = filterOf(query);
  const listed = query.view === "list" || Object.keys(filter).length > 0;
  return (
    <ConnectorPage id={id} tab="rejections">
      {() => <Workbench connector={id} filter={filter} listed={listed} />}
    </ConnectorPage>
  );
}

function Workbench({ connector, filter, listed }: { connector: string; filter: Filter; listed: boolean }) {
  const polled = usePolled(`groups ${connector}`, () => readGroups(connector), 10_000);
  const [question, ask] = useState<Question | undefined>(undefined);
  const done = ({ what, done }: Question, { groups }: Counted, text: string) => {
    remember(connector, what, groups);
    tell(text);
    done?.();
    polled.refresh();
  };
  return (
    <Loaded of={polled}>
      {(counted) => (
        <>
          {listed ? (
            <Listed key={JSON.stringify(filter)} connector={connector} filter={filter} counted={counted} ask={ask} />
          ) : (
            <Groups connector={connector} counted={counted} ask={ask} />
          )}
          {question && (
            <RetryDialog connector={connector} what={question.what} kind={question.kind} note={question.note} close={() => ask(undefined)} done={(text) => done(question, counted, text)} />
          )}
        </>
      )}
    </Loaded>
  );
}

// What is asked before somebody is tried again.
interface Question {
  what: Retry;
  kind?: Schemas["RejectionKind"];
  note?: string;
  done?: () => void;
}

type Ask = (question: Question) => void;

// remember keeps of which groups those are who are tried again, to tell what becomes of
// them. Some of a group are of none.
function remember(connector: string, what: Retry, groups: Group[]): void {
  if (namesOf(what)) return;
  tried.value = { ...tried.value, [connector]: asking(tried.value[connector] ?? {}, groups, what, now()) };
}

// questionOf is the question about all of a group.
function questionOf(group: Group): Question {
  const { kind, code } = group;
  return code ? { what: { kind, code }, kind } : { what: { kind }, kind, note: t("retry.rest", { kind: kindOf(kind) }) };
}

function Groups({ connector, counted, ask }: { connector: string; counted: Counted; ask: Ask }) {
  const { groups, total, complete } = counted;
  const memory = tried.value[connector] ?? {};
  const kept = drawn.get(connector);
  const [order, setOrder] = useState(() => {
    const now = groups.map(keyOf);
    if (!kept) return now;
    const still = kept.order.filter((key) => now.includes(key) || memory[key]);
    return [...still, ...now.filter((key) => !still.includes(key))];
  });
  const last = kept?.last ?? new Map<string, Group>();
  for (const group of groups) last.set(keyOf(group), group);
  drawn.set(connector, { order, last });
  const { shown, fresh } = arranged(order, groups, last);
  const largest = Math.max(1, ...groups.map((group) => group.count));
  if (shown.length === 0 && fresh === 0) {
    return (
      <>
        <p>{t(complete ? "rejections.nobody" : "rejections.nobody_yet")}</p>
        {complete && <p>{t("rejections.empty")}</p>}
      </>
    );
  }
  return (
    <>
      <p>
        <strong>{t("rejections.total", { count: total })}</strong> {t("rejections.counted", { at: moment(counted.counted) })} {!complete && t("rejections.incomplete")}
      </p>
      <div class="actions">
        <a class="button" href={to(["connectors", connector, "rejections"], { view: "list" })}>{t("rejections.show_all")}</a>
        <Download connector={connector} filter={{}} />
        <Button makes="retryRejections" onClick={() => ask({ what: {} })}>{t("retry.all")}</Button>
        {groups.some(({ kind }) => kind === "duplicate") && <a class="button" href={to(["connectors", connector, "duplicates"])}>{t("duplicates.link")}</a>}
      </div>
      <FilterForm connector={connector} filter={{}} />
      {fresh > 0 && <p><Button onClick={() => setOrder(groups.map(keyOf))}>{t("list.new", { count: fresh })}</Button></p>}
      <table>
        <caption class="for-readers">{t("rejections.groups")}</caption>
        <thead>
          <tr>
            <th scope="col">{t("rejections.why")}</th>
            <th scope="col" class="number">{t("rejections.count")}</th>
            <th scope="col">{t("rejections.oldest")}</th>
            <th scope="col">{t("rejections.next")}</th>
            <th scope="col">{t("rejections.actions")}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((group) => <GroupRow key={keyOf(group)} connector={connector} group={group} largest={largest} memory={memory[keyOf(group)]} ask={ask} />)}
        </tbody>
      </table>
    </>
  );
}

function GroupRow({ connector, group, largest, memory, ask }: { connector: string; group: Group; largest: number; memory?: Asked; ask: Ask }) {
  const { kind, code, count } = group;
  const name = brief(group);
  const filter: Filter = { kind, code };
  return (
    <tr>
      <th scope="row" class="group long">
        <span class="hint">{kindOf(kind)}</span>
        <strong>{group.reasons ? <Why of={group} /> : t("rejections.rest", { kind: kindOf(kind) })}</strong>
        <span><Help of={group} /></span>
        {code && <span class="hint"><Machine>{code}</Machine></span>}
        {count > 0 && group.registrants.length > 0 && (
          <span>
            {t("rejections.examples")} {group.registrants.map((one) => <span key={one}><RegistrantLink connector={connector} registrant={one} /> </span>)}
          </span>
        )}
        {count > 0 && group.submissions && (
          <span>
            {t("rejections.examples")} {group.submissions.map((one) => <span key={one}><Submission id={one} /> </span>)}
          </span>
        )}
        <AskedAgain group={group} memory={memory} />
      </th>
      <td data-label={t("rejections.count")} class="number">
        {count === 0 ? t("rejections.none_now") : <><Count of={count} /><Share of={count} whole={largest} /></>}
      </td>
      <td data-label={t("rejections.oldest")}>{count > 0 && <Time at={group.oldest} as="relative" />}</td>
      <td data-label={t("rejections.next")}>{count > 0 && <Next at={group.next_attempt} />}</td>
      <td>
        {count > 0 && (
          <div class="row-actions">
            <a class="button" href={to(["connectors", connector, "rejections"], { kind, code })} aria-label={`${t("rejections.show")}: ${name}`}>{t("rejections.show")}</a>
            <Download connector={connector} filter={filter} name={name} />
            <Button makes="retryRejections" name={`${t("retry.button")}: ${name}`} onClick={() => ask(questionOf(group))}>{t("retry.button")}</Button>
          </div>
        )}
      </td>
    </tr>
  );
}

// AskedAgain is what became of a retry of the group: by this page, or by somebody else.
function AskedAgain({ group, memory }: { group: Group; memory?: Asked }) {
  if (memory) return <strong>{became(memory)}</strong>;
  return group.asked_again ? <strong>{t("retry.waiting_others", { at: moment(group.asked_again) })}</strong> : null;
}

function Share({ of, whole }: { of: number; whole: number }) {
  return (
    <svg class="share" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
      <rect data-part="rejected" width={(of / whole) * 100} height="4" />
    </svg>
  );
}

// FilterForm chooses which rejections are listed.
function FilterForm({ connector, filter }: { connector: string; filter: Filter }) {
  const [kind, setKind] = useState<string>(filter.kind ?? "");
  const day = useRef<HTMLInputElement>(null);
  const subject = useRef<HTMLInputElement>(null);
  const [wrong, setWrong] = useState(false);
  const ids = { day: useId(), subject: useId(), wrong: useId() };
  const submit = (event: TargetedEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = subject.current?.value.trim() ?? "";
    const whose = ofODK.value ? { submission: text } : { registrant: western(text) };
    const unfit = !!whose.registrant && !isRegistrant(whose.registrant);
    setWrong(unfit);
    if (unfit) return;
    const code = kind === (filter.kind ?? "") ? filter.code : undefined;
    const query = { kind, code, since: startOfDay(day.current?.value ?? "", zone.value), ...whose };
    go(to(["connectors", connector, "rejections"], Object.values(query).some(Boolean) ? query : { view: "list" }));
  };
  return (
    <details class="disclosure">
      <summary>{t("filter.title")}</summary>
      <form onSubmit={submit} class="filter">
        <Select label={t("filter.kind")} value={kind} onChange={setKind} options={[["", t("filter.any")], ...kinds.map((one): [string, string] => [one, kindOf(one)])]} />
        <div class="field">
          <label for={ids.day}>{t("filter.since")}</label>
          <input id={ids.day} ref={day} type="date" defaultValue={filter.since && dayOf(filter.since, zone.value)} />
        </div>
        <div class="field">
          <label for={ids.subject}>{ofODK.value ? t("filter.submission_id") : t("search.label")}</label>
          {wrong && <span id={ids.wrong} class="error" role="alert">{t("search.wrong")}</span>}
          <input id={ids.subject} ref={subject} inputMode={ofODK.value ? "text" : "numeric"} autocomplete="off" defaultValue={filter.submission ?? filter.registrant} aria-invalid={wrong} aria-describedby={wrong ? ids.wrong : undefined} />
        </div>
        <div class="field"><button type="submit">{t("filter.apply")}</button></div>
      </form>
    </details>
  );
}

function Chips({ connector, filter }: { connector: string; filter: Filter }) {
  const texts: Record<keyof Filter, string | undefined> = {
    kind: filter.kind && kindOf(filter.kind),
    code: filter.code,
    since: filter.since && t("filter.since_at", { at: exact(filter.since) }),
    registrant: filter.registrant && t("filter.registrant", { registrant: filter.registrant }),
    submission: filter.submission && t("filter.submission", { submission: filter.submission }),
  };
  const chosen = (Object.keys(texts) as (keyof Filter)[]).filter((key) => texts[key]);
  if (chosen.length === 0) return null;
  const without = (key: keyof Filter) => {
    const rest = { ...filter, [key]: undefined, ...(key === "kind" ? { code: undefined } : {}) };
    return to(["connectors", connector, "rejections"], Object.values(rest).some(Boolean) ? rest : { view: "list" });
  };
  return (
    <ul class="inline" aria-label={t("filter.chosen")}>
      {chosen.map((key) => (
        <li key={key}>
          <a class="button" href={without(key)} aria-label={t("filter.remove", { filter: texts[key]! })}>
            {key === "code" ? <Machine>{texts[key]!}</Machine> : texts[key]} <span aria-hidden="true">×</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

// The most that are looked up one by one, to be tried again.
const mostNamed = 2000;

function Listed({ connector, filter, counted, ask }: { connector: string; filter: Filter; counted: Counted; ask: Ask }) {
  const key = `${connector} ${JSON.stringify(filter)}`;
  const more = useMore<Rejection>(key, async (cursor, limit, signal) => {
    const { data } = await call("listRejections", { path: { id: connector }, query: cursor ? { cursor, limit } : { ...filter, limit }, signal });
    return { list: data.rejections, next: data.next };
  });
  const selected = useRef(signal<ReadonlySet<Id>>(new Set())).current;
  const again = useRef(signal<ReadonlyMap<Id, string>>(new Map())).current;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const group = filter.kind && filter.code ? counted.groups.find((one) => one.kind === filter.kind && one.code === filter.code) : undefined;
  const total = countOf(filter, counted.groups, counted.total) ?? (more.next ? undefined : more.list.length);
  const mark = (ids: Id[]) => {
    const at = moment(new Date(now()));
    again.value = new Map([...again.value, ...ids.map((id): [Id, string] => [id, at])]);
    selected.value = new Set();
  };
  const reasons = !group;
  // A thousand rows are not compared each time that the groups are counted.
  const table = useMemo(() => <Table connector={connector} list={more.list} filter={filter} reasons={reasons} selected={selected} again={again} />, [more.list, reasons]);
  return (
    <>
      <p><a href={to(["connectors", connector, "rejections"])}>{t("rejections.back")}</a></p>
      <h2 tabIndex={-1} ref={heading}>{group ? brief(group) : filter.kind ? kindOf(filter.kind) : t("rejections.list")}</h2>
      {filter.kind && <p><Help of={{ kind: filter.kind, code: filter.code }} /></p>}
      {group && <p><AskedAgain group={group} memory={tried.value[connector]?.[keyOf(group)]} /></p>}
      <Chips connector={connector} filter={filter} />
      <FilterForm connector={connector} filter={filter} />
      {more.list.length > 0 && (
        <div class="actions">
          <Download connector={connector} filter={filter} />
          <AllAgain connector={connector} filter={filter} total={total} ask={ask} done={() => mark(more.list.map(idOf))} />
          <SelectedAgain selected={selected} kind={filter.kind} ask={ask} done={mark} />
        </div>
      )}
      <Paged of={more} total={total} empty={<p>{t("rejections.none_match")}</p>}>
        {() => table}
      </Paged>
    </>
  );
}

type Selection = { value: ReadonlySet<Id> };
type Marks = { value: ReadonlyMap<Id, string> };

function SelectedAgain({ selected, kind, ask, done }: { selected: Selection; kind?: Question["kind"]; ask: Ask; done: (ids: Id[]) => void }) {
  const count = selected.value.size;
  const question = () => {
    const ids = [...selected.value];
    ask({ what: some(ids), kind, done: () => done(ids) });
  };
  return <Button makes="retryRejections" unless={count ? undefined : t("retry.select_first")} onClick={question}>{t("retry.selected", { count })}</Button>;
}

// AllAgain tries all again that match. Where no request means exactly them they are
// looked up first.
function AllAgain({ connector, filter, total, ask, done }: { connector: string; filter: Filter; total?: number; ask: Ask; done: () => void }) {
  const act = useAction();
  const [many, setMany] = useState(false);
  const question = () =>
    act.run(async () => {
      const what = retryOf(filter) ?? (await named(connector, filter));
      setMany(!what);
      if (what) ask({ what, kind: filter.kind, done });
    });
  return (
    <>
      <Button makes="retryRejections" unless={act.busy ? t("retry.looking") : undefined} onClick={question}>{total === undefined ? t("retry.matching_all") : t("retry.matching", { count: total })}</Button>
      {many && <p class="error" role="alert">{t("retry.excess", { most: mostNamed })}</p>}
      {act.fault && <Fault of={act.fault} again={question} />}
    </>
  );
}

// named are the rejections of a filter by their names; undefined if these are too many.
async function named(connector: string, filter: Filter): Promise<Retry | undefined> {
  const ids: Id[] = [];
  let cursor: string | undefined;
  do {
    const { data }: { data: { rejections: Rejection[]; next?: string } } = await call("listRejections", { path: { id: connector }, query: cursor ? { cursor, limit: 500 } : { ...filter, limit: 500 } });
    ids.push(...data.rejections.map(idOf));
    if (ids.length > mostNamed) return undefined;
    cursor = data.next;
  } while (cursor);
  return some(ids);
}

interface TableProps {
  connector: string;
  list: Rejection[];
  filter: Filter;
  reasons: boolean;
  selected: Selection;
  again: Marks;
}

function Table({ connector, list, filter, reasons, selected, again }: TableProps) {
  const holders = !filter.kind || filter.kind === "duplicate" ? list.some((one) => one.holder) : false;
  return (
    <table>
      <caption class="for-readers">{t("rejections.list")}</caption>
      <thead>
        <tr>
          <th scope="col"><SelectAll list={list} selected={selected} /></th>
          <th scope="col">{t("rejections.registrant")}</th>
          <th scope="col">{t("rejections.identifier")}</th>
          {reasons && <th scope="col">{t("rejections.reason")}</th>}
          <th scope="col">{t("rejections.since")}</th>
          <th scope="col" class="number">{t("rejections.attempts")}</th>
          <th scope="col">{t("rejections.next")}</th>
          {holders && <th scope="col">{t("rejections.holder")}</th>}
        </tr>
      </thead>
      <tbody>
        {list.map((one) => <Row key={idOf(one)} connector={connector} of={one} reasons={reasons} holders={holders} selected={selected} again={again} />)}
      </tbody>
    </table>
  );
}

function SelectAll({ list, selected }: { list: Rejection[]; selected: Selection }) {
  const all = list.every((one) => selected.value.has(idOf(one)));
  return (
    <label>
      <input type="checkbox" checked={all} onChange={() => (selected.value = new Set(all ? [] : list.map(idOf)))} />
      <span class="for-readers">{t("rejections.select_all", { count: list.length })}</span>
    </label>
  );
}

function Row({ connector, of, reasons, holders, selected, again }: { connector: string; of: Rejection; reasons: boolean; holders: boolean; selected: Selection; again: Marks }) {
  const id = idOf(of);
  // A row is drawn again only if what is selected of it changed.
  const on = useComputed(() => selected.value.has(id)).value;
  const asked = useComputed(() => again.value.get(id)).value;
  const toggle = () => {
    const after = new Set(selected.value);
    if (!after.delete(id)) after.add(id);
    selected.value = after;
  };
  return (
    <tr>
      <td><input type="checkbox" checked={on} onChange={toggle} aria-label={t("rejections.select", { registrant: of.submission ?? String(of.registrant) })} /></td>
      <th scope="row" data-label={t("rejections.registrant")}>{of.submission ? <Submission id={of.submission} /> : <RegistrantLink connector={connector} registrant={of.registrant} />}</th>
      <td data-label={t("rejections.identifier")}>{of.received ? <Time at={of.received} as="exact" /> : of.identifier && <Machine>{of.identifier}</Machine>}</td>
      {reasons && <td data-label={t("rejections.reason")}><Why of={of} /></td>}
      <td data-label={t("rejections.since")}><Time at={of.since} /></td>
      <td data-label={t("rejections.attempts")} class="number">{number(of.attempts)}</td>
      <td data-label={t("rejections.next")}>{asked ? t("retry.row", { at: asked }) : <Next at={of.next_attempt} />}</td>
      {holders && <td data-label={t("rejections.holder")}>{of.holder && <RegistrantLink connector={connector} registrant={of.holder} />}</td>}
    </tr>
  );
}
