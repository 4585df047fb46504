// Who changed what of a connector, and when.
import { call } from "../api.ts";
import { Fields, idOf, What } from "../parts/change.tsx";
import { ConnectorPage } from "../parts/connector.tsx";
import { PagedList } from "../parts/paged.tsx";
import { Time } from "../parts/text.tsx";
import { to } from "../place.ts";
import { usePaged } from "../paged.ts";
import { t } from "../words.ts";

export function Changes({ id }: { id: string }) {
  return <ConnectorPage id={id} tab="changes">{() => <List id={id} />}</ConnectorPage>;
}

function List({ id }: { id: string }) {
  const paged = usePaged(
    `changes ${id}`,
    async (cursor) => {
      const { data } = await call("listChanges", { path: { id }, query: { cursor } });
      return { entries: data.changes, next: data.next };
    },
    idOf,
    10_000,
  );
  return (
    <PagedList of={paged} empty={<p>{t("changes.empty")}</p>}>
      {(changes) => (
        <table>
          <thead>
            <tr>
              <th scope="col">{t("changes.when")}</th>
              <th scope="col">{t("changes.what")}</th>
              <th scope="col">{t("changes.fields")}</th>
            </tr>
          </thead>
          <tbody>
            {changes.map((change) => (
              <tr key={idOf(change)}>
                <td data-label={t("changes.when")}><Time at={change.at} as="exact" /></td>
                <td data-label={t("changes.what")} class="long">
                  <What of={{ ...change, fields: undefined }} />{" "}
                  {change.run && <a href={to(["connectors", id, "runs", change.run])}>{t("change.see_run")}</a>}
                </td>
                <td data-label={t("changes.fields")} class="long">{change.fields?.length ? <Fields of={change.fields} /> : ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </PagedList>
  );
}
