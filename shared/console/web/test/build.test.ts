// What the build makes of words and of what the API says.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as esbuild from "esbuild";
import { kindsIn } from "../src/kinds.ts";

const web = join(import.meta.dirname, "..");
const { shortened } = await import("../shorten.mjs" as string);
const { english, sentences } = await import("../document.mjs" as string);
const api = JSON.parse(readFileSync(join(web, "..", "..", "api", "connectors", "openapi.json"), "utf8"));

const read = (name: string) => JSON.parse(readFileSync(join(web, "locales", name), "utf8")) as Record<string, string>;
const words = { "a.one": "One", "a.two_one": "{{count}} thing", "a.two_other": "{{count}} things", "b.x": "X", "b.y.z": "Z", "c.unused": "U" };

test("words become numbers, but for those that may be made of a code", () => {
  const { script, packed } = shortened('f("a.one","a.two",g?"b.x":`b.y.z`,"no.word");return"a.one"in h;t(`b.${q}`)', words);
  assert.equal(script.replace(/ +/g, " "), 'f( 1 , 2 ,g?"b.x": 3 ,"no.word");return 1 in h;t(`b.${q}`)');
  assert.deepEqual(packed(words), [["", "One", "", "Z"], { "2_one": "{{count}} thing", "2_other": "{{count}} things", "b.x": "X", "c.unused": "U" }]);
  const arabic = { ...words, "a.two_two": "two" };
  assert.equal(packed(arabic)[1]["2_two"], "two", "a form that English has not");
});

test("words that come later have numbers behind those of all pages", () => {
  const later = { "a.one": "Another", "n.new": "New", "b.m": "M", "p.q_one": "{{count}} q", "p.q_other": "{{count}} qs" };
  const { script, packed, numbered } = shortened('f("n.new","a.one","p.q","a.two",`b.${q}`)', words, later);
  assert.equal(script.replace(/ +/g, " "), "f( 3 , 1 , 4 , 2 ,`b.${q}`)");
  assert.deepEqual(packed(words)[0], ["", "One", ""], "no place for what comes later");
  assert.deepEqual(numbered(later), { 1: "Another", 3: "New", "b.m": "M", "4_one": "{{count}} q", "4_other": "{{count}} qs" });
});

test("every sentence is in one of the files that the page loads", () => {
  const translations = Object.fromEntries((english(api) as string[]).map((text) => [text, `T ${text}`]));
  const files = sentences(api, translations, { required: "T" }) as Record<string, object>;
  assert.deepEqual(Object.keys(files), ["problems", "rejections", "lines", "failures", "odk", "refusals"]);
  const all = JSON.stringify(files);
  for (const text of Object.values(translations)) assert.ok(all.includes(JSON.stringify(text)), text);
  // English has no file of sentences but those that differ.
  const few = sentences(api, { "The name is empty.": "There is no name." }, {});
  assert.deepEqual(few.problems, { problems: {} });
  assert.deepEqual(few.failures, { failures: {} });
  assert.deepEqual(few.rejections, { rejections: { "ATS-REQ-003": { text: "There is no name." } }, notes: {} });
  // Each line has its text under its result, in the file for that.
  type Said = { text: string; remedy?: string };
  const by = files as Record<string, Record<string, Record<string, Record<string, (Said & { results: string[] })[]>>>>;
  for (const [line, codes] of Object.entries(api["x-line-codes"] as Record<string, Record<string, (Said & { result: string })[]>>)) {
    for (const [code, list] of Object.entries(codes)) {
      for (const one of list) {
        const kind = line.startsWith("odk_") ? "odk" : one.result === "ok" ? "lines" : "failures";
        const found = by[kind]![kind]![line]![code]!.filter((said) => said.results.includes(one.result));
        assert.ok(found.some((said) => said.text === translations[one.text]!), `${line} ${code} ${one.result}`);
      }
    }
  }
});

test("a reply tells which sentences it needs", () => {
  const line = (result: string, more = {}) => ({ lines: [{ line: "read", code: "x", result, ...more }] });
  for (const [reply, want] of [
    [undefined, []],
    [[], []],
    [{ connectors: [{ problems: {} }, { problems: null }] }, []],
    [{ connectors: [{ problems: { mts: { code: "silent" } } }] }, ["problems"]],
    [{ rejections: [{ registrant: 1, reasons: [{ code: "x" }] }] }, ["rejections"]],
    [{ groups: [{ reasons: [] }] }, []],
    [{ note: { code: "archived" } }, ["rejections"]],
    [{ answer: { output: { wrong: { code: "x" } } } }, ["rejections"]],
    [line("ok"), ["lines"]],
    [line("not_tried"), ["failures"]],
    [line("failure"), ["failures", "problems"]],
    [line("warning", { params: { codes: ["MTS-1"] } }), ["failures", "problems", "rejections"]],
    [{ errors: [{ code: "required" }], warnings: [] }, ["refusals"]],
    [{ warnings: [{ code: "x" }] }, ["refusals"]],
    [{ input_type: "odk", odk: { email: "x" }, problems: {} }, ["odk"]],
    [{ connectors: [{ problems: { odk: { code: "x" } } }] }, ["problems", "odk"]],
  ] as const) {
    assert.deepEqual([...kindsIn(reply)], want, JSON.stringify(reply));
  }
});

test("a word that a page makes of a code keeps its name in what is built", async () => {
  const catalogue = read("en.json");
  const later: Record<string, string> = Object.assign({}, ...["odk", "problems", "refusals"].map((kind) => read(`${kind}/en.json`)));
  const bundle = await esbuild.build({
    absWorkingDir: web, entryPoints: ["src/main.tsx"], bundle: true, minify: true, write: false, format: "esm", charset: "utf8",
    target: ["chrome109", "firefox115"], jsx: "automatic", jsxImportSource: "preact",
  });
  const { packed, numbered } = shortened(bundle.outputFiles[0]!.text, catalogue, later);
  const [texts, ofAll] = packed(catalogue) as [string[], Record<string, string>];
  const all: Record<string, string> = { ...later, ...catalogue };
  const others: Record<string, string> = { ...numbered(later), ...ofAll };
  const made: string[] = [];
  for (const name of globSync("src/**/*.{ts,tsx}", { cwd: web })) {
    for (const [, start, rest] of readFileSync(join(web, name), "utf8").matchAll(/`([a-z_]+\.[a-z_.]*)\$\{[^}]*\}([a-z_.]*)`/g)) {
      const form = new RegExp(`^${start!.replaceAll(".", "\\.")}[^.]+${rest!.replaceAll(".", "\\.")}$`);
      made.push(...Object.keys(all).filter((key) => form.test(key)));
    }
  }
  assert.ok(made.length > 50);
  assert.deepEqual(made.filter((key) => others[key] !== all[key]), []);
  assert.ok(texts.length > 300, `only ${texts.length} words are short`);
});
