// Pairs of registrants that hold one token, or of a submission and a registrant: probably
// the same person twice. They are looked at in the registry and in ODK Central; nothing
// here merges them.
import { call } from "../api.ts";
import { ConnectorPage } from "../parts/connector.tsx";
import { Paged, useMore } from "../parts/more.tsx";
import { RecordLink, Submission } from "../parts/rejection.tsx";
import { Machine, Time } from "../parts/text.tsx";
import { to } from "../place.ts";
import { recordLink } from "../rejections.ts";
import { ofODK } from "../source.ts";
import { t } from "../words.ts";

export function Duplicates({ id }: { id: string }) {
  return (
    <ConnectorPage id={id} tab="rejections" title={t("duplicates.title")}>
      {(connector) => <Pairs connector={id} registry={connector.registry.url} />}
    </ConnectorPage>
  );
}

interface Pair {
  registrants: number[];
  identifier?: number;
  submission?: string;
  since: string;
}

function Pairs({ connector, registry }: { connector: string; registry: string }) {
  const more = useMore<Pair>(`duplicates ${connector}`, async (cursor, limit, signal) => {
    const { data } = await call("listDuplicates", { path: { id: connector }, query: { cursor, limit }, signal });
    return { list: data.duplicates, next: data.next };
  });
  return (
    <>
      <p><a href={to(["connectors", connector, "rejections"])}>{t("rejections.back")}</a></p>
      <p>{t("duplicates.text")}</p>
      <Paged of={more} empty={<p>{t("duplicates.none")}</p>}>
        {(pairs) => (
          <table>
            <caption class="for-readers">{t("duplicates.title")}</caption>
            <thead>
              <tr>
                <th scope="col">{t("duplicates.rejected")}</th>
                <th scope="col">{t("duplicates.holder")}</th>
                <th scope="col">{t("rejections.since")}</th>
                {!ofODK.value && <th scope="col">{t("duplicates.story")}</th>}
              </tr>
            </thead>
            <tbody>
              {pairs.map(({ registrants: [rejected = 0, holder = rejected], identifier, submission, since }) => (
                <tr key={submission ?? identifier}>
                  <th scope="row" data-label={t("duplicates.rejected")}>{submission ? <Submission id={submission} /> : <Record registry={registry} registrant={rejected} />}</th>
                  <td data-label={t("duplicates.holder")}><Record registry={registry} registrant={holder} /></td>
                  <td data-label={t("rejections.since")}><Time at={since} /></td>
                  {!submission && <td><a href={to(["connectors", connector, "registrants", rejected])}>{t("registrant.story", { registrant: String(rejected) })}</a></td>}
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Paged>
    </>
  );
}

function Record({ registry, registrant }: { registry: string; registrant: number }) {
  return recordLink(registry, registrant) ? <RecordLink registry={registry} registrant={registrant} text={String(registrant)} /> : <Machine>{registrant}</Machine>;
}
