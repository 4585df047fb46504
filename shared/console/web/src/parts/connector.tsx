// What all pages of one connector share: its head with what can be done to it, and the
// tabs. It reads the connector again and again, and gives it to the page.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { call, Refused, type Schemas } from "../api.ts";
import { go, to } from "../place.ts";
import { paused, type Polled, usePolled } from "../polled.ts";
import { met } from "../source.ts";
import { isLater, moment, t } from "../words.ts";
import { type Action, useAction } from "./action.ts";
import { Checked, failures, lastCheck, Lines } from "./check.tsx";
import { Button, Dialog, lacking, LinkButton } from "./controls.tsx";
import { HealthOf } from "./health.tsx";
import { tell } from "./live.tsx";
import { Menu } from "./menu.tsx";
import { focusHeading, Page } from "./page.tsx";
import { Fault, Loaded } from "./state.tsx";

export type Connector = Schemas["Connector"];

const tabs = ["overview", "rejections", "runs", "settings", "changes"] as const;
export type Tab = (typeof tabs)[number];

// The one that was read last, so that going from tab to tab shows it at once.
let latest: Connector | undefined;

// works reports whether something of the connector may change any moment.
export const works = (c: Connector) => Boolean(c.open_run || c.imports?.length);

// useConnector reads a connector every 3 s while a run is open, every 10 s else.
export function useConnector(id: string): Polled<Connector> {
  const before = latest?.id === id ? latest : undefined;
  const read = async () => {
    const { data } = await call("readConnector", { path: { id } });
    met(data);
    return (latest = data);
  };
  const polled = usePolled(`connector ${id}`, read, (c) => (c && works(c) ? 3_000 : 10_000));
  return { ...polled, data: polled.data ?? before };
}

// The check that was asked for last from the head, by connector.
const asked = signal<{ connector: string; check: string } | undefined>(undefined);

interface ConnectorPageProps {
  id: string;
  tab: Tab;
  // What the page is called beside the connector, if it is not the tab's name.
  title?: string;
  children: (connector: Connector, of: Polled<Connector>) => ComponentChildren;
}

// ConnectorPage is a page of one connector.
export function ConnectorPage({ id, tab, title, children }: ConnectorPageProps) {
  const polled = useConnector(id);
  const act = useAction();
  const gone = polled.fault instanceof Refused && polled.fault.status === 404;
  const connector = gone ? undefined : polled.data;
  const part = title ?? (tab === "overview" ? "" : t(`tab.${tab}`));
  const name = connector?.name ?? t("connector.title");
  return (
    <Page
      title={[part, name].filter(Boolean).join(" · ")}
      heading={<><bdi>{name}</bdi>{part && <> · {part}</>}</>}
      beside={connector && <Actions of={connector} act={act} refresh={polled.refresh} />}
    >
      {connector && <p><HealthOf connector={connector} /></p>}
      <nav class="tabs" aria-label={t("tab.label")}>
        {tabs.map((one) => (
          <a key={one} href={to(one === "overview" ? ["connectors", id] : ["connectors", id, one])} aria-current={one === tab ? "page" : undefined}>
            {t(`tab.${one}`)}
          </a>
        ))}
      </nav>
      {act.fault && <Fault of={act.fault} />}
      {asked.value?.connector === id && <AskedCheck connector={id} check={asked.value.check} />}
      <Loaded of={polled}>{(shown) => children(shown, polled)}</Loaded>
    </Page>
  );
}

function AskedCheck({ connector, check }: { connector: string; check: string }) {
  const close = () => {
    asked.value = undefined;
    focusHeading();
  };
  return (
    <section class="notice" aria-label={t("check.title")}>
      <h2>{t("check.title")}</h2>
      <Checked id={check} field={(pointer) => to(["connectors", connector, "settings"], { field: pointer })} />
      <Button onClick={close}>{t("action.close")}</Button>
    </section>
  );
}

type ActionsProps = { of: Connector; act: Action; refresh: () => void };

function Actions({ of: c, act, refresh }: ActionsProps) {
  const [open, setOpen] = useState<"start" | "stop" | "delete" | undefined>(undefined);
  const path = { id: c.id };
  const close = () => setOpen(undefined);
  const failed = lastCheck(c.id) && failures(lastCheck(c.id)!).length > 0;
  const start = () =>
    act.run(async () => {
      const { data } = await call("startConnector", { path });
      const at = [data.due, data.next_runs?.[0]].find((one) => isLater(one));
      tell(at ? t("connector.started_later", { at: moment(at) }) : t("connector.started"));
      refresh();
    });
  const stop = () =>
    act.run(async () => {
      const { data } = await call("stopConnector", { path });
      tell(data.under_way.own ? t("connector.stopped_waits", { count: data.under_way.own }) : t("connector.stopped"));
      refresh();
    });
  const check = () =>
    act.run(async () => {
      const { data } = await call("checkConnector", { path });
      paused.value = false; // or it would not be seen to grow
      asked.value = { connector: c.id, check: data.id };
    });
  const edit = lacking("replaceConnector");
  const copy = lacking("createConnector");
  return (
    <div class="actions">
      {c.status === "running" ? (
        <Button makes="stopConnector" onClick={c.imports?.length ? () => setOpen("stop") : stop}>{t("connector.stop")}</Button>
      ) : (
        <Button kind="main" makes="startConnector" onClick={failed ? () => setOpen("start") : start}>{t("connector.start")}</Button>
      )}
      <Button makes="checkConnector" onClick={check}>{t("connector.check")}</Button>
      <LinkButton href={to(["connectors", c.id, "imports"])} unless={lacking("openImport")}>{t("connector.import")}</LinkButton>
      <Menu label={t("connector.more")}>
        <p><LinkButton href={to(["connectors", c.id, "settings"])} unless={edit}>{t("connector.edit")}</LinkButton></p>
        <p><LinkButton href={to(["new"], { from: c.id })} unless={copy}>{t("connector.copy")}</LinkButton></p>
        <p><Button kind="danger" makes="deleteConnector" onClick={() => setOpen("delete")}>{t("connector.delete")}</Button></p>
      </Menu>
      {open === "start" && (
        <Dialog
          title={t("connector.start_although")}
          close={close}
          actions={<Button kind="main" onClick={() => (close(), start())}>{t("connector.start_anyway")}</Button>}
        >
          <Lines of={failures(lastCheck(c.id)!)} />
        </Dialog>
      )}
      {open === "stop" && (
        <Dialog title={t("connector.stop_question")} close={close} actions={<Button kind="danger" onClick={() => (close(), stop())}>{t("connector.stop")}</Button>}>
          <p>{t("connector.stop_imports", { count: c.imports?.length ?? 0 })}</p>
        </Dialog>
      )}
      {open === "delete" && <Delete of={c} close={close} refresh={refresh} />}
    </div>
  );
}

function Delete({ of: c, close, refresh }: { of: Connector; close: () => void; refresh: () => void }) {
  const act = useAction();
  const remove = () =>
    act.run(async () => {
      try {
        await call("deleteConnector", { path: { id: c.id }, headers: { "If-Match": `"${c.version}"` } });
      } catch (error) {
        refresh(); // what it shows may be why it was refused
        throw error;
      }
      tell(t("connector.deleted", { name: c.name }), to([]));
      go(to([]));
    });
  const waits = act.fault instanceof Refused && act.fault.name === "open_batches";
  return (
    <Dialog title={t("connector.delete_question", { name: c.name })} close={close} actions={<Button kind="danger" onClick={remove}>{t("connector.delete")}</Button>}>
      <p>{t("connector.delete_text")}</p>
      {waits ? (
        <div class="notice" data-kind="failed" role="alert">
          <p>{t("connector.delete_waits", { count: c.under_way.own })}</p>
        </div>
      ) : (
        act.fault && <Fault of={act.fault} />
      )}
    </Dialog>
  );
}
