// What must be true of the catalogues, of the words in the pages and of the styles.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import ts from "typescript";
import { fields } from "../src/generated/fields.ts";
import { inWords } from "../src/sentences.ts";
import { chosenLanguage } from "../src/settings.ts";
import { teach } from "../src/words.ts";

const web = join(import.meta.dirname, "..");
const read = (name: string) => readFileSync(join(web, name), "utf8");
const languages = globSync("locales/*.json", { cwd: web }).map((name) => name.slice("locales/".length, -".json".length));
// The words of all pages, and those that come later (see build.mjs).
const parts = ["", "odk/", "problems/", "refusals/"];
const partOf = (part: string, name: string) => JSON.parse(read(`locales/${part}${name}.json`)) as Record<string, string>;
const catalogues = Object.fromEntries(languages.map((name) => [name, Object.assign({}, ...parts.map((part) => partOf(part, name))) as Record<string, string>]));
const english = catalogues.en!;

const suffix = /_(zero|one|two|few|many|other)$/;
const plurals = new Set(Object.keys(english).filter((key) => key.endsWith("_other")).map((key) => key.replace(suffix, "")));
const baseOf = (key: string) => (plurals.has(key.replace(suffix, "")) ? key.replace(suffix, "") : key);
const placeholders = (text: string) => [...new Set(text.match(/\{\{\w+\}\}/g))].sort();

test("a language has the words of English in just the forms that it needs", () => {
  assert.deepEqual(languages.sort(), ["ar", "en", "es", "fr", "hi"]);
  for (const name of languages) {
    const forms = new Intl.PluralRules(name).resolvedOptions().pluralCategories;
    for (const part of parts) {
      const wanted = [...new Set(Object.keys(partOf(part, "en")).map(baseOf))].flatMap((base) => (plurals.has(base) ? forms.map((form) => `${base}_${form}`) : [base]));
      const has = Object.keys(partOf(part, name));
      assert.deepEqual(wanted.filter((key) => !has.includes(key)), [], `${part}${name} lacks words`);
      assert.deepEqual(has.filter((key) => !wanted.includes(key)), [], `${part}${name} has words that English has not`);
    }
  }
});

test("a word has the parameters that it has in English", () => {
  for (const name of languages) {
    for (const [key, text] of Object.entries(catalogues[name]!)) {
      const base = baseOf(key);
      const of = placeholders(english[key] ?? english[`${base}_other`]!);
      // A form for one number alone may say it in words.
      const alone = plurals.has(base) && /_(zero|one|two)$/.test(key) && !of.every((one) => text.includes(one));
      assert.deepEqual(placeholders(text), alone ? of.filter((one) => one !== "{{count}}") : of, `${name} ${key}: ${text}`);
      assert.ok(text.trim() === text && text !== "", `${name} ${key} has spaces around it, or is empty`);
      assert.ok(!/[{}]/.test(text.replace(/\{\{\w+\}\}/g, "")), `${name} ${key} has a broken parameter: ${text}`);
    }
  }
});

// Where a page puts in the same parameters, whatever it is about, and finds the same forms.
test("a word for ODK is said as the one that it stands for", () => {
  const [all, odk] = [partOf("", "en"), partOf("odk/", "en")];
  const shared = Object.keys(odk).filter((key) => key in all);
  assert.ok(shared.length > 20);
  for (const key of shared) assert.deepEqual(placeholders(odk[key]!), placeholders(all[key]!), key);
  const forms = (catalogue: Record<string, string>, base: string) => Object.keys(catalogue).filter((key) => baseOf(key) === base).sort();
  for (const base of new Set(shared.map(baseOf))) assert.deepEqual(forms(odk, base), forms(all, base), base);
  for (const part of ["problems/", "refusals/"]) assert.deepEqual(Object.keys(partOf(part, "en")).filter((key) => key in all || key in odk), [], `${part} says a word again`);
});

test("catalogues are sorted, so that two people who add words rarely meet", () => {
  for (const name of parts.flatMap((part) => languages.map((language) => part + language))) {
    const keys = [...read(`locales/${name}.json`).matchAll(/^ {2}"([^"]+)":/gm)].map((match) => match[1]!);
    assert.equal(new Set(keys).size, keys.length, `${name} has a key twice`);
    assert.deepEqual(keys, [...keys].sort(), `${name} is not sorted`);
  }
});

// The sources, and the trees of them.
const sources = globSync("src/**/*.{ts,tsx}", { cwd: web }).filter((name) => !name.includes("generated"));
const trees = sources.map((name) => ts.createSourceFile(name, read(name), ts.ScriptTarget.ES2022, true, name.endsWith("x") ? ts.ScriptKind.TSX : ts.ScriptKind.TS));
function visit(node: ts.Node, what: (node: ts.Node) => void) {
  what(node);
  node.forEachChild((child) => visit(child, what));
}

test("every word of the catalogue is used", () => {
  const literals = new Set<string>();
  const patterns: RegExp[] = []; // of words that are made of a code: `role.${role}`
  for (const tree of trees) {
    visit(tree, (node) => {
      if (ts.isStringLiteralLike(node)) literals.add(node.text);
      if (ts.isTemplateExpression(node) && /^[a-z_]+\./.test(node.head.text)) {
        const pieces = [node.head.text, ...node.templateSpans.map((span) => span.literal.text)];
        patterns.push(new RegExp(`^${pieces.map((piece) => piece.replace(/[.]/g, "\\.")).join("[^ ]+")}$`));
      }
    });
  }
  const bases = [...new Set(Object.keys(english).map(baseOf))];
  assert.deepEqual(bases.filter((base) => !literals.has(base) && !patterns.some((one) => one.test(base))), []);
});

// Texts that are the same in every language.
const same = /^(UTC|[^\p{L}]*)$/u;

test("every text of a page comes from the catalogue", () => {
  const found: string[] = [];
  const seen = ["aria-label", "title", "placeholder", "alt", "label", "name", "closeLabel", "text", "unless"];
  for (const tree of trees) {
    visit(tree, (node) => {
      const at = () => `${tree.fileName}:${tree.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
      if (ts.isJsxText(node) && !same.test(node.text.trim())) {
        const inside = ts.isJsxElement(node.parent) ? node.parent.openingElement.tagName.getText() : "";
        if (!["Machine", "code", "kbd"].includes(inside)) found.push(`${at()} ${node.text.trim()}`);
      }
      if (ts.isJsxAttribute(node) && seen.includes(node.name.getText()) && node.initializer && ts.isStringLiteral(node.initializer)) {
        const tag = node.parent.parent.tagName.getText();
        const spoken = /^[A-Z]/.test(tag) ? / /.test(node.initializer.text) : node.name.getText() !== "name" && !same.test(node.initializer.text);
        if (spoken) found.push(`${at()} ${node.name.getText()}="${node.initializer.text}"`);
      }
    });
  }
  assert.deepEqual(found, []);
});

test("styles know no left and right, and are short", () => {
  let lines = 0;
  for (const name of globSync("styles/*.css", { cwd: web })) {
    const text = read(name);
    lines += text.split("\n").length - 1;
    const rules = text.replace(/\/\*.*?\*\//gs, (comment) => comment.replace(/[^\n]/g, " "));
    for (const [at, line] of rules.split("\n").entries()) {
      if (/^\s*@/.test(line)) continue; // the window has a width
      const physical = /(?:^|[\s;{(])((?:margin|padding|border|inset|scroll-margin|scroll-padding)-(?:left|right|top|bottom)[\w-]*|(?:left|right|top|bottom)(?=\s*:)|border-(?:top|bottom)-(?:left|right)-radius|(?:min-|max-)?(?:width|height)(?=\s*:))/.exec(line)?.[1];
      assert.equal(physical, undefined, `${name}:${at + 1}: ${physical} has a logical property`);
      assert.ok(!/(?:float|clear|text-align|caption-side)\s*:\s*(?:left|right)/.test(line), `${name}:${at + 1}: ${line.trim()}`);
    }
  }
  assert.ok(lines < 600, `${lines} lines`);
});

// What the API says, by the sentences of its document. English is its own.
const api = JSON.parse(readFileSync(join(web, "..", "..", "api", "connectors", "openapi.json"), "utf8"));
const parameters = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort();

test("every sentence of the API is there in each language, with its parameters", async () => {
  const { english: sentencesOf } = await import("../document.mjs" as string);
  for (const name of languages.filter((one) => one !== "en")) {
    const translated = JSON.parse(read(`locales/sentences/${name}.json`)) as Record<string, string>;
    assert.deepEqual(Object.keys(translated).sort(), sentencesOf(api), `${name}: other sentences than the document has`);
    for (const [sentence, text] of Object.entries(translated)) {
      assert.deepEqual(parameters(text), parameters(sentence), `${name}: ${text}`);
      assert.ok(text.trim() === text && text !== "", `${name}: ${sentence}`);
    }
  }
});

// English is the API's own, but for what it says in another way to who calls it.
const own = (folder: string) => JSON.parse(read(`locales/${folder}/en.json`)) as Record<string, string>;

test("what the console says in other English words is what the API says, with its parameters", async () => {
  const { english: sentencesOf } = await import("../document.mjs" as string);
  const all = sentencesOf(api) as string[];
  for (const [sentence, text] of Object.entries(own("sentences"))) {
    assert.ok(all.includes(sentence), `the API does not say: ${sentence}`);
    assert.deepEqual(parameters(text), parameters(sentence), text);
  }
  for (const code of Object.keys(own("errors"))) assert.ok(code in api["x-codes"], code);
});

// What only who calls the API knows: methods, headers, its paths and lists of codes, and
// "the API"; and, once the form's word stands for it, the name of a member.
const path = Object.keys(api.paths).map((one) => one.split("/")[1]!);
const members = Object.keys(fields).map((one) => one.slice(1).replaceAll("/", ".")).filter((one) => /[._]/.test(one));
const spoken = new RegExp(
  [
    "\\b(?:GET|POST|PUT|PATCH|DELETE)\\b",
    "\\b(?:If-Match|ETag|Retry-After|Content-Type|Idempotency-Key|Allow lists)\\b",
    `/(?:${[...new Set(path)].join("|")})\\b`,
    "\\bx-[a-z]+-codes\\b",
    "(?:[Tt]he|[Tt]his|[Ll]'|[Cc]ette|[Ll]a|[Ee]sta|واجهة) ?API\\b(?! key)",
    "\\b[Ss]end the (?:same )?request again\\b",
    `(?<![.\\w])(?:${members.map((one) => one.replaceAll(".", "\\.")).join("|")})(?![.\\w])`,
  ].join("|"),
);

// What another server has to let pass is told to who runs that one, and so is what an API
// that MTS calls directly may do.
const elsewhere = [/\/authtoken/, /\{address\}/, /\/web\/dataset/, /receiving API|API destinataire|API receptora|API المستقبِلة/];

test("nothing that the console says is for who calls the API", async () => {
  const { english: sentencesOf } = await import("../document.mjs" as string);
  const all = sentencesOf(api) as string[];
  const descriptions = Object.values(api["x-problems"] as Record<string, { description: string }>).map((one) => one.description);
  for (const name of languages) {
    teach(name, catalogues[name]!);
    chosenLanguage.value = name;
    const translated = JSON.parse(read(`locales/sentences/${name}.json`)) as Record<string, string>;
    // In English the detail of the reply stands in for a description.
    const shown = all.filter((one) => translated[one] !== undefined || !descriptions.includes(one)).map((one) => translated[one] ?? one);
    // The method of a callback is a field of the form.
    const errors = Object.entries(JSON.parse(read(`locales/errors/${name}.json`)) as Record<string, string>).filter(([code]) => !code.startsWith("callback_"));
    const found = [...shown, ...errors.map(([, text]) => text)].map(inWords).filter((text) => spoken.test(text) && !elsewhere.some((one) => one.test(text)));
    assert.deepEqual(found, [], name);
  }
});

test("every error of a field is there in each language, with parameters that it has", () => {
  const codes = api["x-codes"] as Record<string, string>;
  for (const name of languages.filter((one) => one !== "en")) {
    const translated = JSON.parse(read(`locales/errors/${name}.json`)) as Record<string, string>;
    assert.deepEqual(Object.keys(translated).sort(), Object.keys(codes).sort(), `${name}: other codes than the document has`);
    for (const [code, text] of Object.entries(translated)) {
      const has = codes[code]!.match(/\w+/g)!;
      for (const one of parameters(text)) assert.ok(has.includes(one.slice(1, -1)), `${name} ${code}: ${one}`);
    }
  }
});
