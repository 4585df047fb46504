// The sentences of the API in the language of the page, by their codes. Where there is
// no translation the English one of the reply is shown, and said to be English.
import { effect, signal } from "@preact/signals";
import type { Refused, Schemas } from "./api.ts";
import { exact, known, language, list as joined, number, t, type Word } from "./words.ts";

declare const SENTENCES: Record<string, string>; // addresses by language, of the build

interface Sentence {
  text?: string;
  text_of_fields?: string;
  remedy?: string;
  title?: string;
  description?: string;
}

interface Catalogue {
  "problem-codes": Record<string, (Sentence & { sources: string[] })[]>;
  "line-codes": Record<string, Record<string, (Sentence & { result: string })[]>>;
  "rejection-codes": Record<string, Sentence>;
  "note-codes": Record<string, Sentence>;
  problems: Record<string, Sentence>;
  errors: Record<string, string>;
}

const catalogue = signal<Catalogue | undefined>(undefined);

effect(() => {
  const wanted = language.value;
  const file = SENTENCES[wanted];
  catalogue.value = undefined;
  if (!file) return;
  fetch(`console/${file}`)
    .then((reply) => (reply.ok ? reply.json() : undefined))
    .then((read) => {
      if (wanted === language.value) catalogue.value = read;
    })
    .catch(() => undefined); // English is shown
});

// Said is a text, and whether it is English on a page that is not.
export interface Said {
  text: string;
  foreign: boolean;
}

function filled(text: string, params: object = {}): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = (params as Record<string, unknown>)[name];
    if (value === undefined) return whole;
    if (typeof value === "number") return number(value);
    return Array.isArray(value) ? joined(value.map(String)) : String(value);
  });
}

// The API writes times for machines.
const instant = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;

function said(translated: string | undefined, english: string | undefined, params?: object): Said {
  const text = translated === undefined ? (english ?? "") : filled(translated, params);
  return { text: text.replace(instant, (at) => exact(at)), foreign: translated === undefined && !language.value.startsWith("en") };
}

export function problem(of: Schemas["ConnectorProblem"]): { text: Said; remedy: Said } {
  const found = catalogue.value?.["problem-codes"][of.code]?.find((one) => one.sources.includes(of.source));
  return { text: said(found?.text, of.text, of.params), remedy: said(found?.remedy, of.remedy, of.params) };
}

export function line(of: Schemas["Line"]): { text: Said; remedy?: Said } {
  const own = catalogue.value?.["line-codes"][of.line]?.[of.code];
  const found: Sentence | undefined = own?.find((one) => one.result === of.result) ?? catalogue.value?.["problem-codes"][of.code]?.[0];
  return { text: said(lacking(of) ?? found?.text, of.text, of.params), remedy: of.remedy ? said(found?.remedy, of.remedy, of.params) : undefined };
}

// lacking says in words what MTS would not take, where the line has codes.
function lacking(of: Schemas["Line"]): string | undefined {
  const codes = (of.params as { codes?: string[] } | undefined)?.codes;
  const texts = codes?.map((code) => catalogue.value?.["rejection-codes"][code]?.text);
  return texts?.length && texts.every(Boolean) ? t("check.lacking", { reasons: texts.join(" ") }) : undefined;
}

// reasons are why somebody was rejected, sentence by sentence. One that names fields
// of MTS names them in the language of the page.
export function reasons(of: { reason?: string; reasons?: Schemas["Reasons"] }): Said[] {
  if (!of.reasons) return of.reason ? [said(undefined, of.reason)] : [];
  return of.reasons.map((one) => {
    const found = catalogue.value?.["rejection-codes"][one.code];
    const fields = (one.params as { fields?: string[] } | undefined)?.fields;
    if (!fields?.length) return said(found?.text, one.text, one.params);
    return said(found?.text_of_fields ?? found?.text, one.text, { ...one.params, fields: fields.map(fieldOfMTS) });
  });
}

// fieldOfMTS is what a field of MTS's is called; of another one its own name.
function fieldOfMTS(name: string): string {
  const word = known(`mts_field.${name}`);
  return word ? t(word) : name;
}

export function note(of: Schemas["Saying"]): Said {
  return said(catalogue.value?.["note-codes"][of.code]?.text, of.text, of.params);
}

export function refusal(of: Refused): { title: Said; detail: Said } {
  if (!of.problem.type) return unsaid(of.status);
  const found = catalogue.value?.problems[of.name];
  return { title: said(found?.title, of.problem.title), detail: said(found?.description, of.problem.detail) };
}

// unsaid is for a reply that is none of the API's: of what stands before it, or of an API
// that broke.
function unsaid(status: number): { title: Said; detail: Said } {
  const own = (word: Word): Said => ({ text: t(word, { status: String(status) }), foreign: false });
  if (status === 429) return { title: own("refused.busy"), detail: own("refused.busy_text") };
  if (status >= 500) return { title: own("refused.broken"), detail: own("refused.broken_text") };
  return { title: own("refused.before"), detail: own("refused.before_text") };
}

export function fieldError(of: Schemas["FieldError"] | Schemas["Warning"]): Said {
  return said(catalogue.value?.errors[of.code], of.detail, of.params);
}
