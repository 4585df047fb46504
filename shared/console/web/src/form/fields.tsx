// One field of a form with its label, what is said about it, and what is typed.
import type { ComponentChildren, TargetedEvent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { fields } from "../generated/fields.ts";
import { Button } from "../parts/controls.tsx";
import { Machine, Sentence } from "../parts/text.tsx";
import * as sentences from "../sentences.ts";
import { known, number, t, type Word, zone } from "../words.ts";
import { direct, entry, type Header, type Kind, kinds, ofODK, standsFor, unfinished, visible, when, type When } from "./configuration.ts";
import type { Flaw, Form } from "./state.ts";
import { instant, local } from "./times.ts";

// Fill is a form as its fields know it.
export interface Fill {
  form: Form;
  // Whether it is for reading only.
  fixed: boolean;
  // Why some fields cannot be changed now.
  locked?: string;
}

// What must wait while batches are under way: their answers belong to the source, the
// registry and the callback as they are.
const waiting = ["/input_type", "/odk/odata_url", "/registry/url", "/registry/database", direct];

export const idOf = (field: string) => `field${field.replaceAll("/", "-")}`;

const nameOf = (field: string) => field.replace(/^\//, "").replaceAll("/", ".");

export const labelOf = (field: string): string => t(known(`field.${nameOf(standsFor[field] ?? field)}`) ?? "field.form");

// choiceOf is a word of a list as people read it.
export function choiceOf(field: string, value: string): string {
  if (field === "/mandatory_fields") return labelOf(`/mapping/${value}`);
  const word = known(`choice.${nameOf(field).replace(/.*\./, "")}.${value}`);
  return word ? t(word) : value;
}

// leadTo goes to a field, out of a list of errors.
export function leadTo(field: string): void {
  const element = document.getElementById(idOf(field));
  if (!element) return;
  const hidden = element.closest("details");
  if (hidden) hidden.open = true;
  const target = element.matches("fieldset, p, div") ? (element.querySelector<HTMLElement>("input:not(:disabled), button, textarea") ?? element) : element;
  target.focus();
  target.scrollIntoView({ block: "center" });
}

interface FieldProps {
  fill: Fill;
  field: string;
}

// Field is nothing where it means nothing beside what is chosen.
export function Field({ fill, field }: FieldProps) {
  const { form } = fill;
  if (!visible(field, form.values.value)) return null;
  const kind = kinds[field]!;
  if (kind === "marks" || kind === "headers") {
    return (
      <Set fill={fill} field={field}>
        {kind === "marks" ? <Marks fill={fill} field={field} /> : <Headers fill={fill} field={field} />}
      </Set>
    );
  }
  const locked = fill.locked !== undefined && waiting.includes(field);
  const says = sayings(fill, field);
  if (kind === "switch") {
    return (
      <div class="field">
        <Says fill={fill} field={field} />
        <label class="choice">
          <input type="checkbox" id={idOf(field)} checked={form.values.value[field] === true} disabled={fill.fixed} aria-describedby={says.by} aria-invalid={says.wrong}
            onChange={(event) => (form.set(field, event.currentTarget.checked), form.leave(field))} />
          {labelOf(field)}
        </label>
      </div>
    );
  }
  return (
    <div class="field">
      <label for={idOf(field)}>{labelOf(field)}</label>
      <Says fill={fill} field={field} />
      <Control fill={fill} field={field} kind={kind} locked={locked} by={says.by} wrong={says.wrong} />
    </div>
  );
}

// Set is a group of controls that are one field.
export function Set({ fill, field, children }: FieldProps & { children: ComponentChildren }) {
  const says = sayings(fill, field);
  return (
    <fieldset class="field" id={idOf(field)} aria-describedby={says.by} tabIndex={-1}>
      <legend>{labelOf(field)}</legend>
      <Says fill={fill} field={field} />
      {children}
    </fieldset>
  );
}

// sayings are the ids of what is said about a field, and whether something is wrong.
function sayings({ form, locked }: Fill, field: string): { by?: string; wrong?: boolean } {
  const id = idOf(field);
  const wrong = form.shown(field).length > 0;
  const parts = [
    wrong && `${id}-error`,
    form.doubts(field).length > 0 && `${id}-doubt`,
    hintsOf(form, field).length > 0 && `${id}-hint`,
    locked !== undefined && waiting.includes(field) && `${id}-locked`,
  ].filter(Boolean);
  return { by: parts.length ? parts.join(" ") : undefined, wrong: wrong || undefined };
}

function Says({ fill: { form, locked }, field }: FieldProps) {
  const id = idOf(field);
  const hints = hintsOf(form, field);
  const errors = form.shown(field);
  const doubts = form.doubts(field);
  return (
    <>
      {hints.length > 0 && <p class="hint" id={`${id}-hint`}>{hints.map((hint, place) => <span key={place}>{place > 0 && " "}{hint}</span>)}</p>}
      {locked !== undefined && waiting.includes(field) && <p class="hint" id={`${id}-locked`}>{locked}</p>}
      {errors.length > 0 && <div class="error" id={`${id}-error`}>{errors.map((error, place) => <p key={place}><FlawOf form={form} of={error} /></p>)}</div>}
      {doubts.length > 0 && <div class="doubt" id={`${id}-doubt`}>{doubts.map((doubt, place) => <p key={place}>{t("form.doubt")} <FlawOf form={form} of={doubt} /></p>)}</div>}
    </>
  );
}

// FlawOf is a sentence of the API about a field. Its subject is the field, or the
// entry of a list.
export function FlawOf({ form, of }: { form: Form; of: Flaw }) {
  const which = entry(of.pointer, form.body);
  const header = /^\/callback\/extra_headers\/(.+)$/.exec(of.pointer)?.[1];
  const field = form.fieldOf(of);
  return (
    <>
      {which || header ? <Machine>{which || header!.replaceAll("~1", "/").replaceAll("~0", "~")}</Machine> : field ? labelOf(field) : ""}{" "}
      <Sentence of={sentences.fieldError(of)} />
    </>
  );
}

// hintsOf is what helps to fill in a field: what it means, its limits and its default.
function hintsOf(form: Form, field: string): string[] {
  const hints: string[] = [];
  const word = known(`hint.${nameOf(field)}`);
  if (word) hints.push(t(word, { zone: zone.value }));
  const { minimum, maximum, preset } = fields[field] ?? {};
  if (minimum !== undefined && maximum !== undefined) hints.push(t("form.range", { least: minimum, most: maximum }));
  const value = form.values.value[field];
  if (["text", "expression", "whole", "choice"].includes(kinds[field]!) && preset !== undefined && preset !== "" && String(preset) !== value) {
    hints.push(t("form.default", { value: kinds[field] === "whole" ? number(Number(preset)) : choiceOf(field, String(preset)) }));
  }
  if (kinds[field] === "secret" && isStored(form, field)) hints.push(t("form.stored"));
  return hints;
}

// isStored reports whether there is a secret already, which stays if none is typed.
function isStored(form: Form, field: string): boolean {
  const c = form.stored.value;
  if (!c) return false;
  if (field === "/registry/password") return c.registry.password_set;
  if (field === "/odk/password") return c.odk?.password_set === true;
  const name = `${field.split("/").pop()}_set`;
  return (c.callback as unknown as Record<string, unknown>)[name] === true;
}

interface ControlProps extends FieldProps {
  kind: Kind;
  locked: boolean;
  by?: string;
  wrong?: boolean;
}

function Control({ fill, field, kind, locked, by, wrong }: ControlProps) {
  const { form, fixed } = fill;
  const value = String(form.values.value[field] ?? "");
  const common = {
    id: idOf(field),
    "aria-describedby": by,
    "aria-invalid": wrong,
    onBlur: () => form.leave(field),
  };
  const typed = (event: TargetedEvent<HTMLInputElement>) => form.set(field, event.currentTarget.value);
  const still = fixed || locked;
  switch (kind) {
    case "fixed":
      return <p id={idOf(field)} class="fixed">{choiceOf(field, value)}</p>;
    case "secret":
      return <input {...common} type="password" autocomplete="new-password" value={value} readOnly={still} onInput={typed} />;
    case "whole":
      return <input {...common} inputMode="numeric" dir="ltr" autocomplete="off" size={8} value={value} readOnly={still} onInput={typed} />;
    case "choice":
      return (
        <select {...common} value={value} disabled={still} onChange={(event) => (form.set(field, event.currentTarget.value), form.leave(field))}>
          {(fields[field]!.allowed ?? []).filter((one) => one !== "staticBearer").map((one) => <option key={one} value={one}>{choiceOf(field, one)}</option>)}
        </select>
      );
    case "zone":
      return (
        <select {...common} value={value} disabled={still} onChange={(event) => (form.set(field, event.currentTarget.value), form.leave(field))}>
          {zones(value).map((one) => <option key={one} value={one}>{one || "UTC"}</option>)}
        </select>
      );
    case "time":
      return <input {...common} type="time" value={value} readOnly={still} onInput={typed} />;
    case "moment":
      return <Moment common={common} value={value} still={still} put={(text) => form.set(field, text)} />;
    case "expression":
    case "expressions":
    case "names":
    case "program":
      return <Grows common={common} value={value} least={kind === "program" || kind === "expressions" ? 2 : 1} still={still} form={form} field={field} one={kind === "expression"} />;
    default:
      return <input {...common} autocomplete="off" dir={machine.test(field) ? "ltr" : "auto"} spellcheck={false} value={value} readOnly={still} onInput={typed} />;
  }
}

const machine = /url|database|username|client_id|language/;

// zones are the time zones that the browser knows, UTC first, and the one that is
// chosen, which it may not know.
function zones(chosen: string): string[] {
  const all = ["", ...Intl.supportedValuesOf("timeZone").filter((name) => name !== "UTC")];
  return all.includes(chosen) ? all : ["", chosen, ...all.slice(1)];
}

// Moment is a date and time on the clocks of the page's zone. While it is typed the
// field has what is typed, which is not yet the one that is meant.
function Moment({ common, value, still, put }: { common: { onBlur: () => void }; value: string; still: boolean; put: (text: string) => void }) {
  const [typed, setTyped] = useState<string | undefined>(undefined);
  const input = (event: TargetedEvent<HTMLInputElement>) => {
    const { value: text, validity } = event.currentTarget;
    setTyped(text);
    put(validity.badInput ? unfinished : text && instant(text, zone.value));
  };
  const blur = () => {
    setTyped(undefined);
    common.onBlur();
  };
  return <input {...common} type="datetime-local" value={typed ?? local(value, zone.value)} readOnly={still} onInput={input} onBlur={blur} />;
}

interface GrowsProps {
  common: object;
  value: string;
  least: number;
  still: boolean;
  form: Form;
  field: string;
  one: boolean; // a single line: Enter means nothing
}

// Grows is a field for what machines read. It is as high as what is in it.
function Grows({ common, value, least, still, form, field, one }: GrowsProps) {
  const rows = value.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 64)), 0);
  return (
    <textarea {...common} dir="ltr" spellcheck={false} autocomplete="off" autocapitalize="off" rows={Math.min(24, Math.max(least, rows))} value={value} readOnly={still}
      onFocus={() => (form.last.value = field)}
      onKeyDown={(event) => one && event.key === "Enter" && event.preventDefault()}
      onInput={(event) => form.set(field, one ? event.currentTarget.value.replace(/[\r\n]+/g, " ") : event.currentTarget.value)} />
  );
}

// Chips put names into the field that had the focus last, at its caret.
export function Chips({ fill: { form, fixed }, into, names, label }: { fill: Fill; into: string[]; names: string[]; label: string }) {
  if (fixed) return null;
  const insert = (name: string) => {
    const field = into.includes(form.last.value) ? form.last.value : into[0]!;
    const area = document.getElementById(idOf(field));
    if (!(area instanceof HTMLTextAreaElement)) return;
    area.focus();
    area.setRangeText(name, area.selectionStart, area.selectionEnd, "end");
    form.set(field, area.value);
  };
  return (
    <details class="chips">
      <summary>{label}</summary>
      <p>{names.map((name) => <Button key={name} onClick={() => insert(name)}><Machine>{name}</Machine></Button>)}</p>
    </details>
  );
}

function Marks({ fill: { form, fixed }, field }: FieldProps) {
  const marked = form.values.value[field] as string[];
  const mark = (word: string, on: boolean) => {
    form.set(field, (fields[field]!.words ?? []).filter((one) => (one === word ? on : marked.includes(one))));
    form.leave(field);
  };
  return (
    <>
      {(fields[field]!.words ?? []).map((word) => (
        <label key={word} class="choice">
          <input type="checkbox" checked={marked.includes(word)} disabled={fixed} onChange={(event) => mark(word, event.currentTarget.checked)} /> {choiceOf(field, word)}
        </label>
      ))}
    </>
  );
}

// Headers are names with values that are secrets. Those that are stored stay, unless
// all are put anew.
function Headers({ fill: { form, fixed }, field }: FieldProps) {
  const rows = form.values.value[field] as Header[] | undefined;
  const names = form.stored.value?.callback.extra_headers_set ?? [];
  const put = (changed: Header[] | undefined) => form.set(field, changed);
  if (!rows) {
    return (
      <>
        {names.length > 0 && <p>{t("form.headers_stored")} {names.map((name) => <Machine key={name}>{`${name} `}</Machine>)}</p>}
        {!fixed && (
          <p class="actions">
            <Button onClick={() => put([{ name: "", value: "" }])}>{t(names.length ? "form.headers_replace" : "form.header_add")}</Button>
            {names.length > 0 && <Button onClick={() => (put([]), form.leave(field))}>{t("form.headers_remove")}</Button>}
          </p>
        )}
      </>
    );
  }
  const change = (place: number, part: Partial<Header>) => put(rows.map((row, one) => (one === place ? { ...row, ...part } : row)));
  return (
    <>
      {rows.length === 0 && names.length > 0 && <p>{t("form.headers_none")}</p>}
      {rows.map((row, place) => (
        <p key={place} class="pair">
          <input aria-label={t("form.header_name", { number: place + 1 })} dir="ltr" autocomplete="off" spellcheck={false} value={row.name} onInput={(event) => change(place, { name: event.currentTarget.value.trim() })} onBlur={() => form.leave(field)} />
          <input aria-label={t("form.header_value", { number: place + 1 })} type="password" autocomplete="new-password" value={row.value} onInput={(event) => change(place, { value: event.currentTarget.value })} onBlur={() => form.leave(field)} />
          <Button name={t("form.header_drop", { number: place + 1 })} onClick={() => (put(rows.filter((_, one) => one !== place)), form.leave(field))}>×</Button>
        </p>
      ))}
      <p class="actions">
        <Button onClick={() => put([...rows, { name: "", value: "" }])}>{t("form.header_add")}</Button>
        {names.length > 0 && <Button onClick={() => (put(undefined), form.leave(field))}>{t("form.headers_keep")}</Button>}
      </p>
    </>
  );
}

// Radios is a choice that decides which fields there are.
export function Radios({ fill, field, options, value, choose }: FieldProps & { options: [value: string, text: Word][]; value: string; choose: (value: string) => void }) {
  const disabled = fill.fixed || (fill.locked !== undefined && waiting.includes(field));
  return (
    <Set fill={fill} field={field}>
      {options.map(([one, text]) => (
        <label key={one} class="choice">
          <input type="radio" name={field} value={one} checked={value === one} disabled={disabled} onChange={() => choose(one)} /> {t(text)}
        </label>
      ))}
    </Set>
  );
}

// When a connector recurs, by what a form has for it.
export const whens: [value: string, text: Word][] = [["interval", "form.interval"], ["daily", "form.daily"], ["once", "form.once"]];

export function WhenChoice({ fill }: { fill: Fill }) {
  const { form } = fill;
  const choose = (value: string) => {
    form.set(when, value as When);
    // The zone of who chooses a time is the likelier one; it is shown beside it.
    if (value === "daily" && !form.values.value["/time_zone"]) form.set("/time_zone", zone.value === "UTC" ? "" : zone.value);
    form.leave(when);
  };
  return <Radios fill={fill} field={when} value={String(form.values.value[when])} choose={choose} options={whens} />;
}

// SourceChoice is a choice of the source. The words for ODK come before its fields.
export function SourceChoice({ fill }: { fill: Fill }) {
  const { form } = fill;
  const field = "/input_type";
  const choose = async (value: string) => {
    await sentences.ready({ [value]: [value] });
    form.set(field, value);
    form.leave(field);
  };
  return <Radios fill={fill} field={field} value={String(form.values.value[field])} choose={(value) => void choose(value)} options={(["registry", "odk"] as const).map((one) => [one, `choice.input_type.${one}`])} />;
}

export function DirectChoice({ fill }: { fill: Fill }) {
  const { form } = fill;
  if (ofODK(form.values.value)) return null;
  return (
    <Radios fill={fill} field={direct} value={form.values.value[direct] ? "direct" : "managed"} choose={(value) => (form.set(direct, value === "direct"), form.leave(direct))}
      options={[["managed", "form.managed"], ["direct", "form.direct"]]} />
  );
}

// useLead goes to a field once, when the form is shown by an address that names it.
export function useLead(field: string | undefined): void {
  const led = useRef("");
  useEffect(() => {
    if (!field || led.current === field) return;
    led.current = field;
    // The heading takes the focus when an address is new.
    const timer = setTimeout(() => leadTo(field));
    return () => clearTimeout(timer);
  }, [field]);
}
