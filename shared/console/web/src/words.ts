// The words of the console: catalogues in i18next's format (version 4: plurals by the
// suffixes of CLDR, {{name}} for parameters), numbers and times.
import { computed, effect, signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type en from "../locales/en.json";
import type odk from "../locales/odk/en.json";
import type problems from "../locales/problems/en.json";
import type refusals from "../locales/refusals/en.json";
import { now as time } from "./clock.ts";
import { chosenLanguage, chosenZone } from "./settings.ts";
import { ofODK } from "./source.ts";

// The languages, by the names that they have for themselves.
export const languages: Record<string, string> = { en: "English", fr: "Français", ar: "العربية", es: "Español", hi: "हिन्दी" };

// The catalogues that are here. They are files by language, of which one is loaded.
const catalogues = signal<Record<string, Record<string, string>>>({});
declare const WORDS: Record<string, string>; // the files, of the build
const files = typeof WORDS === "undefined" ? {} : WORDS;

// Made of English, for tests of the layout: long words with accents, and English from
// right to left.
const pseudo = ["qps-long", "qps-mirrored"];

type Plain<K> = K extends `${infer P}_${"zero" | "one" | "two" | "few" | "many" | "other"}` ? P : K;
export type Word = Plain<keyof typeof en | keyof typeof odk | keyof typeof problems | keyof typeof refusals>;
export type Params = Record<string, string | number>;

// The language that is wanted: the one that was chosen, else the browser's, else English.
const wanted = computed(() => {
  for (const tag of [chosenLanguage.value, ...navigator.languages]) {
    const name = pseudo.includes(tag) ? tag : tag.split("-")[0]!.toLowerCase();
    if (name in languages || pseudo.includes(name)) return name;
  }
  return "en";
});

const tagOf = (name: string) => (pseudo.includes(name) ? "en" : name);

// The language that the page is in: the one that is wanted, once its words are here.
let latest = "en";
export const language = computed(() => {
  if (tagOf(wanted.value) in catalogues.value || !(tagOf(wanted.value) in files)) latest = wanted.value;
  return latest;
});

// teach gives the words of a language.
export function teach(name: string, words: Record<string, string>): void {
  catalogues.value = { ...catalogues.value, [name]: words };
}

// Words by language that come later: with the first reply that needs them. Some of those
// that come with a connector of ODK stand for others, where a page is about one.
const later = signal<Record<string, Record<string, string>>>({});
const forODK = signal<Record<string, Record<string, string>>>({});

export function teachLater(name: string, words: Record<string, string>): void {
  later.value = { ...later.value, [name]: { ...later.value[name], ...words } };
}

export function teachODK(name: string, words: Record<string, string>): void {
  forODK.value = { ...forODK.value, [name]: words };
}

const longest = 10_000; // ms
const pause = 1_000; // ms

async function learn(name: string): Promise<void> {
  const file = files[name];
  if (!file || name in catalogues.value) return;
  const reply = await fetch(`console/${file}`, { signal: AbortSignal.timeout(longest) });
  if (!reply.ok) throw new Error(`status ${reply.status}`);
  const [texts, others] = await reply.json(); // as shorten.mjs packs them
  await Promise.all(beside.map((load) => load(name)));
  teach(name, { ...texts, ...others });
}

const beside: ((name: string) => Promise<void>)[] = [];

// alsoLearn names what is loaded with the words of a language, before the page is in it.
export function alsoLearn(load: (name: string) => Promise<void>): void {
  beside.push(load);
}

// begin loads the words of the language that is wanted, now and whenever it changes. It
// ends when there are words. Later the page is in the language before until those of
// another one are here, and if they do not come.
export async function begin(): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await learn(tries % 2 === 1 ? tagOf(wanted.value) : "en");
      break;
    } catch {
      await new Promise((again) => setTimeout(again, pause));
    }
  }
  effect(() => void learn(tagOf(wanted.value)).catch(() => undefined));
}

export const direction = computed(() => (language.value === "ar" || language.value === "qps-mirrored" ? "rtl" : "ltr"));

// The tag that the browser's own functions are given.
export const tag = computed(() => tagOf(language.value));

const catalogue = computed(() => {
  const words = { ...later.value[tag.value], ...catalogues.value[tag.value] };
  const others = forODK.value[tag.value];
  return ofODK.value ? { ...words, ...others } : { ...others, ...words };
});

const plural = computed(() => new Intl.PluralRules(tag.value));

// raw returns the text of a word. A word with a count may have a form for it.
function raw(word: Word, count?: number): string {
  const words = catalogue.value;
  const forms = count === undefined ? [word] : [`${word}_${plural.value.select(count)}`, `${word}_other`, word];
  const text = forms.map((form) => words[form]).find((found) => found !== undefined) ?? word;
  return language.value === "qps-long" ? lengthened(text) : text;
}

// t returns a text with its parameters. Numbers are written as the language does; the
// parameter count chooses the form of the plural.
export function t(word: Word, params: Params = {}): string {
  const text = raw(word, typeof params.count === "number" ? params.count : undefined);
  return text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = params[name];
    return typeof value === "number" ? number(value) : (value ?? "");
  });
}

// rich is t for parameters that are elements, such as links.
export function rich(word: Word, params: Record<string, ComponentChildren>): ComponentChildren[] {
  const count = typeof params.count === "number" ? params.count : undefined;
  return raw(word, count)
    .split(/(\{\{\w+\}\})/)
    .map((piece) => {
      const name = /^\{\{(\w+)\}\}$/.exec(piece)?.[1];
      if (name === undefined) return piece;
      const value = params[name];
      return typeof value === "number" ? number(value) : value;
    });
}

// known returns a word if there is one, for words that are made of a code.
export function known(word: string): Word | undefined {
  return word in catalogue.value || `${word}_other` in catalogue.value ? (word as Word) : undefined;
}

const accents: Record<string, string> = { a: "áà", e: "éè", i: "íì", o: "óò", u: "úù", A: "Á", E: "É", I: "Í", O: "Ó", U: "Ú" };

function lengthened(text: string): string {
  return text
    .split(/(\{\{\w+\}\})/)
    .map((piece, at) => (at % 2 === 1 ? piece : piece.replace(/[aeiouAEIOU]/g, (letter) => accents[letter] ?? letter)))
    .join("");
}

// Formats cost more to make than to use: a list of a thousand rows uses few.
const formats = new Map<string, unknown>();

function format<T>(kind: string, options: object, make: () => T): T {
  const key = kind + tag.value + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, make());
  return formats.get(key) as T;
}

export function number(value: number, options?: Intl.NumberFormatOptions): string {
  const all = { maximumFractionDigits: 1, ...options };
  return format("number", all, () => new Intl.NumberFormat(tag.value, all)).format(value);
}

// The time zone in which times are shown.
export const zone = computed(() => chosenZone.value || Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC");

// exact is a date and time in the zone.
export function exact(at: string | Date, options: Intl.DateTimeFormatOptions = { dateStyle: "medium", timeStyle: "short" }): string {
  const all = { ...options, timeZone: zone.value };
  return format("time", all, () => new Intl.DateTimeFormat(tag.value, all)).format(new Date(at));
}

// moment is as short as it is clear: the time of day of today, the date and time else.
export function moment(at: string | Date, now = new Date(time())): string {
  const day = (of: string | Date) => exact(of, { dateStyle: "short" });
  return day(at) === day(now) ? exact(at, { timeStyle: "short" }) : exact(at);
}

// isLater reports whether a time is so far off that what happens then does not begin now:
// what is due is done within the minute.
export function isLater(at: string | undefined, now = time()): boolean {
  return at !== undefined && Date.parse(at) > now + 60_000;
}

const steps: [Intl.RelativeTimeFormatUnit, number][] = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];

// relative is how long ago, or in how long.
export function relative(at: string | Date, now = time()): string {
  let value = (new Date(at).getTime() - now) / 1000;
  for (const [unit, size] of steps) {
    if (Math.abs(Math.round(value)) < size) return format("relative", {}, () => new Intl.RelativeTimeFormat(tag.value, { numeric: "auto" })).format(Math.round(value), unit);
    value /= size;
  }
  return "";
}

// list joins texts as the language does.
export function list(texts: string[]): string {
  return new Intl.ListFormat(tag.value, { type: "conjunction" }).format(texts);
}
