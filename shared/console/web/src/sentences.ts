// The sentences of the API in the language of the page, by their codes, and in the words of
// the console. English has those alone that the API says in another way to who calls it;
// else the sentence of the reply is shown, and in other languages said to be English.
import { computed, effect, signal } from "@preact/signals";
import type { Refused, Schemas } from "./api.ts";
import { kindsIn, type Kind } from "./kinds.ts";
import { alsoLearn, exact, known, list as joined, number, t, tag, teachLater, teachODK, type Word } from "./words.ts";

// They are files by language and kind, of which those are loaded that a reply needs.
declare const SENTENCES: Record<string, Kind[]>; // of the build
declare const MARK: string; // in their names
const files = typeof SENTENCES === "undefined" ? {} : SENTENCES;

interface Sentence {
  text?: string;
  text_of_fields?: string;
  remedy?: string;
  title?: string;
  description?: string;
}

interface Catalogue {
  problems: Record<string, (Sentence & { sources: string[] })[]>;
  rejections: Record<string, Sentence>;
  notes: Record<string, Sentence>;
  lines: Lines;
  failures: Lines;
  odk: Lines;
  refusals: Record<string, Sentence>;
  errors: Record<string, string>;
}

type Lines = Record<string, Record<string, (Sentence & { results: string[] })[]>>;

const catalogues = signal<Record<string, Partial<Catalogue>>>({});
const catalogue = computed(() => catalogues.value[tag.value]);

const longest = 10_000; // ms
const wanted = new Set<Kind>(); // by what was read
const loads = new Map<string, Promise<void>>(); // by file

// learn loads the sentences of a kind in a language. If they do not come English is
// shown, and the next reply that needs them asks again.
function learn(name: string, kind: Kind): Promise<void> {
  if (!files[name]?.includes(kind)) return Promise.resolve();
  const file = `sentences-${kind}-${name}-${MARK}.json`;
  let loading = loads.get(file);
  if (!loading) {
    loading = fetch(`console/${file}`, { signal: AbortSignal.timeout(longest) })
      .then((reply) => (reply.ok ? reply.json() : Promise.reject(new Error(`status ${reply.status}`))))
      .then(({ words, ...read }) => {
        (kind === "odk" ? teachODK : teachLater)(name, words);
        catalogues.value = { ...catalogues.value, [name]: { ...catalogues.value[name], ...read } };
      })
      .catch(() => void loads.delete(file));
    loads.set(file, loading);
  }
  return loading;
}

const learnAll = async (name: string) => void (await Promise.all([...wanted].map((kind) => learn(name, kind))));

alsoLearn(learnAll);

// What a reply needed while the language changed.
effect(() => void learnAll(tag.value));

// ready waits until what a reply says can be said in the language of the page.
export async function ready(reply: unknown): Promise<void> {
  for (const kind of kindsIn(reply)) wanted.add(kind);
  await learnAll(tag.value);
}

// Said is a text, and whether it is English on a page that is not.
export interface Said {
  text: string;
  foreign: boolean;
}

// inWords puts what the form calls a field for the name that it has in a configuration,
// which sentences of the API have: registry.url, token_type.
export function inWords(text: string): string {
  return text.replace(/\b[a-z]+(?:[._][a-z]+)+\b/g, (name) => {
    const word = ["", "registry.", "callback.", "odk."].map((within) => known(`field.${within}${name}`)).find(Boolean);
    return word ? t("sentence.field", { field: t(word) }) : name;
  });
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
  const foreign = translated === undefined && tag.value !== "en";
  const text = (translated === undefined ? (english ?? "") : filled(translated, params)).replace(instant, (at) => exact(at));
  return { text: foreign ? text : inWords(text), foreign };
}

export function problem(of: Schemas["ConnectorProblem"]): { text: Said; remedy: Said } {
  const found = catalogue.value?.problems?.[of.code]?.find((one) => one.sources.includes(of.source));
  return { text: said(found?.text, of.text, of.params), remedy: said(found?.remedy, of.remedy, of.params) };
}

export function line(of: Schemas["Line"]): { text: Said; remedy?: Said } {
  const kind = of.line.startsWith("odk_") ? "odk" : of.result === "ok" ? "lines" : "failures";
  const own = catalogue.value?.[kind]?.[of.line]?.[of.code];
  const found: Sentence | undefined = own?.find((one) => one.results.includes(of.result)) ?? catalogue.value?.problems?.[of.code]?.[0];
  return { text: said(lacking(of) ?? found?.text, of.text, of.params), remedy: of.remedy ? said(found?.remedy, of.remedy, of.params) : undefined };
}

// lacking says in words what MTS would not take, where the line has codes.
function lacking(of: Schemas["Line"]): string | undefined {
  const codes = (of.params as { codes?: string[] } | undefined)?.codes;
  const texts = codes?.map((code) => catalogue.value?.rejections?.[code]?.text);
  return texts?.length && texts.every(Boolean) ? t("check.lacking", { reasons: texts.join(" ") }) : undefined;
}

// reasons are why somebody was rejected, sentence by sentence. One that names fields
// of MTS names them in the language of the page.
export function reasons(of: { reason?: string; reasons?: Schemas["Reasons"] }): Said[] {
  if (!of.reasons) return of.reason ? [said(undefined, of.reason)] : [];
  return of.reasons.map((one) => {
    const found = catalogue.value?.rejections?.[one.code];
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
  return said(catalogue.value?.notes?.[of.code]?.text, of.text, of.params);
}

export function refusal(of: Refused): { title: Said; detail: Said } {
  if (!of.problem.type) return unsaid(of.status);
  const found = catalogue.value?.refusals?.[of.name];
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
  return said(catalogue.value?.errors?.[of.code], of.detail, of.params);
}
