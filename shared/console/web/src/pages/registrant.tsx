// What became of one registrant: one sentence first, then what to do, then the events.
// Nothing of the person is shown but the number.
import { useEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { call, Refused, type Schemas } from "../api.ts";
import { connectorPages } from "../connectors.ts";
import { useAction } from "../parts/action.ts";
import { isOver, Lines, useCheck } from "../parts/check.tsx";
import { ConnectorPage } from "../parts/connector.tsx";
import { Button } from "../parts/controls.tsx";
import { say, tell } from "../parts/live.tsx";
import { Page } from "../parts/page.tsx";
import { Help, RecordLink, RegistrantLink, Why } from "../parts/rejection.tsx";
import { RetryDialog } from "../parts/retry.tsx";
import { Fault, Loaded } from "../parts/state.tsx";
import { Time } from "../parts/text.tsx";
import { go, to } from "../place.ts";
import { usePolled } from "../polled.ts";
import { type Event, eventsOf, joined, renewed, type Known, knows, type Past, signOf, type State, stateOf } from "../registrant.ts";
import { isRegistrant } from "../rejections.ts";
import { exact, rich, t } from "../words.ts";

export function Registrant({ id, registrant }: { id: string; registrant: string }) {
  if (!isRegistrant(registrant)) return <Mistyped />;
  return (
    <ConnectorPage id={id} tab="rejections" title={t("registrant.title", { registrant })}>
      {(connector) => <Story key={`${id} ${registrant}`} connector={id} registry={connector.registry.url} registrant={Number(registrant)} />}
    </ConnectorPage>
  );
}

function Mistyped() {
  return <Page title={t("lost.title")}><p>{t("search.wrong")}</p></Page>;
}

async function read(connector: string, registrant: number, cursor?: string): Promise<Known> {
  return (await call("readRegistrant", { path: { id: connector, registrant }, query: { cursor } })).data;
}

function Story({ connector, registry, registrant }: { connector: string; registry: string; registrant: number }) {
  const polled = usePolled(`registrant ${connector} ${registrant}`, () => read(connector, registrant), 10_000);
  const [older, setOlder] = useState<{ known: Known; past: Past[] } | undefined>(undefined);
  const [check, setCheck] = useState("");
  const [lines, setLines] = useState<Schemas["Line"][]>([]);
  const [asking, ask] = useState(false);
  const inquiry = useAction();
  const search = useAction();
  // What happens while somebody looks is not in the batches that were searched before.
  // Whoever is on the way no more, and not rejected, is searched for.
  const sign = polled.data && signOf(polled.data);
  const seen = useRef<string | undefined>(undefined);
  useEffect(() => {
    const before = seen.current;
    seen.current = sign;
    if (before === undefined || !polled.data) return;
    const { next, open_batches, rejections, complete } = polled.data;
    if (next && complete && !open_batches?.length && !rejections?.length) extend({ known: polled.data, past: [] }); // the newest
  }, [sign]);
  const extend = (from: { known: Known; past: Past[] }) =>
    search.run(async () => {
      const page = await read(connector, registrant, from.known.next);
      setOlder((before) => renewed(before, joined(from, page)));
      say(t("registrant.found", { count: (page.batches ?? page.rejections ?? []).length }));
    });
  const inquire = () =>
    inquiry.run(async () => {
      const { data } = await call("checkRegistrant", { path: { id: connector, registrant } });
      setLines([]);
      setCheck(data.id);
    });
  return (
    <Loaded of={polled}>
      {(now) => {
        const past = older?.past ?? [];
        // What is known now is read again and again; what pages added to it stays.
        const known: Known = older ? { ...now, rejections: merged(now, older.known), complete: older.known.complete, next: older.known.next } : now;
        const state = stateOf(known, past, lines);
        const identifiers = (known.rejections ?? []).flatMap((one) => one.identifier ?? []);
        const further = () => extend({ known, past });
        return (
          <>
            <p class="first"><Sentences of={state} connector={connector} registrant={registrant} /></p>
            {state.state === "rejected" && <p><Help of={state.rejection.holder ? { kind: "duplicate" } : state.rejection} /></p>}
            {known.complete === false && <p>{t("registrant.incomplete")}</p>}
            <div class="actions">
              {identifiers.length > 0 && <Button makes="retryRejections" onClick={() => ask(true)}>{t("retry.button")}</Button>}
              <Button makes="checkRegistrant" unless={inquiry.busy ? t("registrant.asking") : undefined} onClick={inquire}>{t("registrant.ask")}</Button>
              <RecordLink registry={registry} registrant={registrant} />
            </div>
            {inquiry.fault && <Fault of={inquiry.fault} again={inquire} />}
            {check && (
              <section aria-label={t("registrant.registry_says")}>
                <h2>{t("registrant.registry_says")}</h2>
                <Watched key={check} id={check} found={setLines} />
              </section>
            )}
            <h2>{t("registrant.timeline")}</h2>
            <Timeline events={eventsOf(known, past)} connector={connector} />
            {search.fault && <Fault of={search.fault} again={further} />}
            {known.next ? (
              <>
                <Button unless={search.busy ? t("registrant.searching") : undefined} onClick={further}>{t(known.complete === false ? "registrant.search_rejections" : older ? "registrant.search_on" : "registrant.search")}</Button>
                <p class="hint">{t(older ? "registrant.so_far" : "registrant.search_hint", { count: past.length })}</p>
              </>
            ) : (
              older && <p>{t("registrant.searched", { count: past.length })}</p>
            )}
            {asking && <RetryDialog connector={connector} what={{ identifiers }} kind={state.state === "rejected" ? state.rejection.kind : undefined} close={() => ask(false)} done={(text) => (tell(text), polled.refresh())} />}
          </>
        );
      }}
    </Loaded>
  );
}

// merged are the rejections of the first page as they are now, and of those that
// followed.
function merged(now: Known, older: Known): Schemas["Rejection"][] {
  const fresh = now.rejections ?? [];
  if (now.complete !== false) return fresh;
  return [...fresh, ...(older.rejections ?? []).filter((one) => !fresh.some((two) => two.identifier === one.identifier))];
}

// Watched shows a check as it grows, and tells its lines to the sentence above.
function Watched({ id, found }: { id: string; found: (lines: Schemas["Line"][]) => void }) {
  const polled = useCheck(id);
  useEffect(() => void (polled.data && found(polled.data.lines)), [polled.data]);
  return (
    <Loaded of={polled}>
      {(check) => (
        <>
          <Lines of={check.lines} />
          {!isOver(check) && <p>{t("check.working")}</p>}
          {check.state === "failed" && <p>{t("check.broken")}</p>}
        </>
      )}
    </Loaded>
  );
}

// Sentences say what became of a registrant.
function Sentences({ of, connector, registrant }: { of: State; connector: string; registrant: number }) {
  const who = String(registrant);
  switch (of.state) {
    case "on_its_way":
      return <>{t(of.open.state === "claimed" ? "registrant.state.claimed" : "registrant.state.submitted", { registrant: who, at: exact(of.open.claimed), deadline: exact(of.open.deadline) })}</>;
    case "rejected": {
      const { kind, code = "", last_attempt, holder } = of.rejection;
      const at = exact(last_attempt);
      if (kind === "duplicate" && holder) return <>{rich("registrant.state.duplicate", { registrant: who, at, holder: <RegistrantLink connector={connector} registrant={holder} /> })}</>;
      const said = kind === "refused" && code.startsWith("MTSC-") ? "refused_here" : kind === "duplicate" ? "conflict" : kind;
      return <>{t(`registrant.state.${said}`, { registrant: who, at })} <Why of={of.rejection} /></>;
    }
    case "holds_token":
      return <>{t("registrant.state.holds_token", { registrant: who })}</>;
    case "answered":
      return <>{t("registrant.state.answered", { registrant: who, at: exact(of.past.closed) })}</>;
    case "tokenised":
      return <>{t("registrant.state.tokenised", { registrant: who, at: exact(of.past.closed) })}</>;
    default:
      return <>{t("registrant.state.nothing", { registrant: who })}</>;
  }
}

function Timeline({ events, connector }: { events: Event[]; connector: string }) {
  if (events.length === 0) return <p>{t("registrant.no_events")}</p>;
  return (
    <ol class="timeline">
      {events.map((event, at) => (
        <li key={at}>
          <Time at={event.at} as="exact" /> <span>{happened(event, connector)}</span>
        </li>
      ))}
    </ol>
  );
}

function happened(event: Event, connector: string): ComponentChildren {
  switch (event.what) {
    case "next":
      return t("event.next");
    case "tried":
      return t("event.tried", { count: event.rejection.attempts });
    case "rejected":
      return <>{t(`rejection.kind.${event.rejection.kind}`)}: <Why of={event.rejection} /></>;
    case "sent":
      return <>{t(`event.${event.open.state}`, { deadline: exact(event.open.deadline) })} <RunLink connector={event.open.connector} run={event.open.run} /></>;
    case "claimed":
      return t("event.sent");
    case "closed":
      return <>{t(event.past.state === "patched" ? `event.patched_${event.past.outcome ?? "mixed"}` : `event.${event.past.state}`)} <RunLink connector={connector} run={event.past.run} /></>;
  }
}

function RunLink({ connector, run }: { connector: string; run: string }) {
  return <a href={to(["connectors", connector, "runs", run])}>{t("event.run")}</a>;
}

type Summary = Schemas["ConnectorSummary"];
type Found = { connector: Summary; known: Known };

// everywhere asks every connector, some at a time.
async function everywhere(registrant: number): Promise<{ connectors: Summary[]; found: Found[] }> {
  const connectors = (await connectorPages()).flat();
  if (connectors.length < 2) return { connectors, found: [] };
  const found: Found[] = [];
  const left = [...connectors];
  const worker = async () => {
    for (let connector = left.shift(); connector; connector = left.shift()) {
      try {
        found.push({ connector, known: await read(connector.id, registrant) });
      } catch (error) {
        if (!(error instanceof Refused && error.status === 404)) throw error; // it was deleted meanwhile
      }
    }
  };
  await Promise.all(Array.from({ length: 6 }, worker));
  found.sort((a, b) => connectors.indexOf(a.connector) - connectors.indexOf(b.connector));
  return { connectors, found };
}

// Anywhere is what all connectors know of a registrant. With one connector it is that
// one's page.
export function Anywhere({ registrant }: { registrant: string }) {
  if (!isRegistrant(registrant)) return <Mistyped />;
  return <Everywhere key={registrant} registrant={registrant} />;
}

function Everywhere({ registrant }: { registrant: string }) {
  const polled = usePolled(`anywhere ${registrant}`, () => everywhere(Number(registrant)));
  const only = polled.data?.connectors.length === 1 ? polled.data.connectors[0]!.id : undefined;
  const gone = useRef(false);
  useEffect(() => {
    if (!only || gone.current) return;
    gone.current = true;
    go(to(["connectors", only, "registrants", registrant]), true);
  }, [only]);
  return (
    <Page title={t("registrant.title", { registrant })}>
      <Loaded of={polled}>
        {({ connectors, found }) => {
          if (connectors.length === 0) return <p>{t("registrant.no_connector")}</p>;
          const knowing = found.filter(({ connector, known }) => knows(known, connector.id));
          const rest = found.filter(({ connector, known }) => !knows(known, connector.id));
          const link = (connector: Summary) => <a href={to(["connectors", connector.id, "registrants", registrant])}><bdi>{connector.name}</bdi></a>;
          return (
            <>
              {knowing.map(({ connector, known }) => (
                <section key={connector.id}>
                  <h2>{link(connector)}</h2>
                  <p><Sentences of={stateOf(known, [])} connector={connector.id} registrant={Number(registrant)} /></p>
                </section>
              ))}
              {rest.length > 0 && (
                <section>
                  <h2>{t(knowing.length ? "registrant.others" : "registrant.nowhere", { registrant })}</h2>
                  <p>{t("registrant.nowhere_text")}</p>
                  <ul>{rest.map(({ connector }) => <li key={connector.id}>{link(connector)}</li>)}</ul>
                </section>
              )}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}
