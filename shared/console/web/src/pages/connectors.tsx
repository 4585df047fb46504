// The list of connectors, which is the home page: what needs somebody stands first.
import { useRef, useState } from "preact/hooks";
import type { Schemas } from "../api.ts";
import { connectorPages } from "../connectors.ts";
import { Button, lacking, LinkButton } from "../parts/controls.tsx";
import { healthOf, HealthOf, order } from "../parts/health.tsx";
import { Page } from "../parts/page.tsx";
import { Loaded } from "../parts/state.tsx";
import { Steps } from "../parts/steps.tsx";
import { Count, Machine, Time } from "../parts/text.tsx";
import { to } from "../place.ts";
import { usePolled } from "../polled.ts";
import { t } from "../words.ts";

type Summary = Schemas["ConnectorSummary"];

// sorted brings those that need somebody to the front.
export function sorted(connectors: Summary[]): Summary[] {
  const rank = (c: Summary) => order.indexOf(healthOf(c));
  return [...connectors].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

// all reads every page. The reply is the same object while nothing changes.
async function all(before: { pages: unknown[]; list: Summary[] } | undefined) {
  const pages = await connectorPages();
  if (before && before.pages.length === pages.length && pages.every((page, at) => page === before.pages[at])) return before;
  return { pages, list: pages.flat() };
}

export function Connectors() {
  const last = useRef<{ pages: unknown[]; list: Summary[] } | undefined>(undefined);
  const polled = usePolled("connectors", async () => (last.current = await all(last.current)), 10_000);
  return (
    <Page
      title={t("connectors.title")}
      beside={<LinkButton main href={to(["new"])} unless={lacking("createConnector")}>{t("connectors.new")}</LinkButton>}
    >
      <Loaded of={polled}>{({ list }) => (list.length ? <Table list={list} /> : <Steps />)}</Loaded>
    </Page>
  );
}

// Table keeps the order in which it was first drawn, so that rows do not move under
// who reads them; a button puts them in order again.
function Table({ list }: { list: Summary[] }) {
  const [ids, setIDs] = useState(() => sorted(list).map((c) => c.id));
  const by = new Map(list.map((c) => [c.id, c]));
  const fresh = list.filter((c) => !ids.includes(c.id)).length;
  const wanted = sorted(list).map((c) => c.id);
  const moved = fresh > 0 || ids.filter((id) => by.has(id)).join() !== wanted.join();
  return (
    <>
      {moved && (
        <p>
          <Button onClick={() => setIDs(wanted)}>{fresh ? t("list.new", { count: fresh }) : t("list.sort")}</Button>
        </p>
      )}
      <table>
        <thead>
          <tr>
            <th scope="col">{t("connectors.name")}</th>
            <th scope="col">{t("connectors.health")}</th>
            <th scope="col">{t("connectors.source")}</th>
            <th scope="col" class="number">{t("connectors.tokenised")}</th>
            <th scope="col" class="number">{t("connectors.rejected")}</th>
            <th scope="col">{t("connectors.next")}</th>
          </tr>
        </thead>
        <tbody>
          {ids.map((id) => {
            const c = by.get(id);
            return c && <Row key={id} of={c} />;
          })}
        </tbody>
      </table>
    </>
  );
}

function Row({ of: c }: { of: Summary }) {
  const { tokenised, rejected } = c.figures;
  return (
    <tr>
      <th scope="row" class="long"><a href={to(["connectors", c.id])}><bdi>{c.name}</bdi></a></th>
      <td data-label={t("connectors.health")}><HealthOf connector={c} /></td>
      <td data-label={t("connectors.source")}>{c.odk_host && <><Machine>{`${c.odk_form} · ${hostOf(c.odk_host)}`}</Machine> <span class="arrow" aria-hidden="true">→</span> </>}<Machine>{hostOf(c.registry_host)}</Machine></td>
      <td data-label={t("connectors.tokenised")} class="number"><Count of={tokenised + (c.open_run?.tokenised ?? 0)} /></td>
      <td data-label={t("connectors.rejected")} class="number">
        {rejected === undefined ? t("connectors.unknown") : rejected === 0 ? <Count of={0} /> : <a href={to(["connectors", c.id, "rejections"])} aria-label={t("connectors.rejected_of", { count: rejected, name: c.name })}><Count of={rejected} /></a>}
      </td>
      <td data-label={t("connectors.next")}>{c.status === "running" && c.due ? <Time at={c.due} as="relative" /> : t("connectors.none")}</td>
    </tr>
  );
}

// hostOf leaves out what is usual of an address: https and its port.
export function hostOf(address: string): string {
  return address.replace(/^https:\/\/(.*?)(:443)?$/, "$1");
}
