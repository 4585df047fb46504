// Who changed what of a connector.
import type { Schemas } from "../api.ts";
import { known, list, number, rich, t } from "../words.ts";
import { Machine } from "./text.tsx";

export type Change = Schemas["Change"];
type FieldChange = NonNullable<Change["fields"]>[number];

export const idOf = (change: Change) => `${change.at} ${change.change} ${change.version} ${change.by.subject ?? ""}`;

export function Who({ by }: { by: Change["by"] }) {
  return by.name ? <bdi>{by.name}</bdi> : by.subject ? <Machine>{by.subject}</Machine> : <>{t("change.somebody")}</>;
}

// fieldName is a field as the form calls it.
export function fieldName(name: string): string {
  const word = known(`field.${name}`);
  return word ? t(word) : name;
}

// What is what was done, in a sentence that begins with who did it.
export function What({ of }: { of: Change }) {
  const fields = of.change === "replace" ? (of.fields ?? []).map((field) => fieldName(field.name)) : [];
  return (
    <>
      {rich(`change.${of.change}`, { who: <Who by={of.by} /> })}
      {fields.length > 0 && `: ${list(fields)}`}
      {of.rejections && <Which of={of.rejections} />}
    </>
  );
}

function Which({ of }: { of: NonNullable<Change["rejections"]> }) {
  const kind = of.kind && known(`rejection.kind.${of.kind}`);
  return (
    <>
      : {of.count !== undefined ? t("change.some", { count: of.count }) : of.kind ? (kind ? t(kind) : <Machine>{of.kind}</Machine>) : t("change.all")}
      {of.code && <> <Machine>{of.code}</Machine></>}
    </>
  );
}

// Fields are fields with what was in them before and after, where that may be shown.
export function Fields({ of }: { of: FieldChange[] }) {
  return (
    <ul class="plain">
      {of.map((field) => (
        <li key={field.name}>
          {fieldName(field.name)}
          {field.before !== undefined || field.after !== undefined ? (
            <>
              : <Value of={field.before} /> <span class="arrow" aria-hidden="true">→</span><span class="for-readers">{t("change.then")}</span> <Value of={field.after} />
            </>
          ) : (
            <span class="hint"> ({t("change.hidden")})</span>
          )}
        </li>
      ))}
    </ul>
  );
}

function Value({ of }: { of?: string | number | boolean }) {
  if (of === undefined || of === "") return <>{t("change.nothing")}</>;
  if (typeof of === "boolean") return <>{t(of ? "change.yes" : "change.no")}</>;
  return typeof of === "number" ? <>{number(of)}</> : <Machine>{of}</Machine>;
}
