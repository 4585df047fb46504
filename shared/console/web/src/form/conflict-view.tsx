// What somebody else changed while a form was filled in, beside what is typed.
import { useEffect, useRef, useState } from "preact/hooks";
import { Button } from "../parts/controls.tsx";
import { Machine } from "../parts/text.tsx";
import { exact, t, zone } from "../words.ts";
import { direct, kinds, type Value, when } from "./configuration.ts";
import type { Difference } from "./conflict.ts";
import { choiceOf, labelOf, whens } from "./fields.tsx";

interface ConflictProps {
  // Who changed it; empty if that is not known.
  by: string;
  // What they changed; nothing, if only secrets.
  of: Difference[];
  // The fields whose other value is taken.
  save: (taken: Set<string>) => void;
}

// Conflict asks field by field whose value stays, and saves then. Where this person
// changed nothing, theirs is taken unless it is said otherwise.
export function Conflict({ by, of, save }: ConflictProps) {
  const element = useRef<HTMLElement>(null);
  const [taken, setTaken] = useState<Record<string, boolean>>(() => Object.fromEntries(of.filter((one) => !one.contested).map((one) => [one.field, true])));
  useEffect(() => element.current?.focus(), []);
  const open = of.filter((one) => taken[one.field] === undefined).length;
  return (
    <section class="notice" data-kind="look" tabIndex={-1} ref={element} aria-labelledby="conflict">
      <h2 id="conflict">{by ? t("conflict.title_by", { name: by }) : t("conflict.title")}</h2>
      {of.length === 0 ? (
        <p>{t("conflict.unseen")}</p>
      ) : (
        <>
          <p>{t("conflict.text")}</p>
          <table>
            <thead>
              <tr>
                <th scope="col">{t("conflict.field")}</th>
                <th scope="col">{t("conflict.theirs")}</th>
                <th scope="col">{t("conflict.mine")}</th>
                <th scope="col">{t("conflict.choice")}</th>
              </tr>
            </thead>
            <tbody>
              {of.map(({ field, before, theirs, mine }) => (
                <tr key={field}>
                  <th scope="row">{labelOf(field)}</th>
                  <td data-label={t("conflict.theirs")}><Shown field={field} value={theirs} /> <span class="hint">({t("conflict.before")} <Shown field={field} value={before} />)</span></td>
                  <td data-label={t("conflict.mine")}><Shown field={field} value={mine} /></td>
                  <td>
                    <fieldset class="options">
                      <legend class="for-readers">{labelOf(field)}</legend>
                      {[true, false].map((theirs) => (
                        <label key={String(theirs)} class="choice">
                          <input type="radio" name={`take${field}`} checked={taken[field] === theirs} onChange={() => setTaken({ ...taken, [field]: theirs })} />{" "}
                          {t(theirs ? "conflict.take" : "conflict.keep")}
                        </label>
                      ))}
                    </fieldset>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
      <p class="actions">
        <Button kind="main" unless={open ? t("conflict.open", { count: open }) : undefined} onClick={() => save(new Set(Object.keys(taken).filter((field) => taken[field])))}>
          {t("conflict.save")}
        </Button>
      </p>
    </section>
  );
}

function Shown({ field, value }: { field: string; value: Value }) {
  if (field === when) return <>{t(whens.find(([one]) => one === value)?.[1] ?? "form.none")}</>;
  if (field === direct) return <>{t(value ? "form.direct" : "form.managed")}</>;
  if (typeof value === "boolean") return <>{t(value ? "form.yes" : "form.no")}</>;
  if (Array.isArray(value)) return <>{value.map((one) => choiceOf(field, String(one))).join(", ") || t("form.none")}</>;
  if (!value) return <>{t("form.none")}</>;
  if (kinds[field] === "moment") return <>{exact(value, { dateStyle: "medium", timeStyle: "short", timeZone: zone.value })}</>;
  if (kinds[field] === "choice") return <>{choiceOf(field, value)}</>;
  return <Machine>{value}</Machine>;
}
