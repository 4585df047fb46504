// What must be true of the catalogues, of the words in the pages and of the styles.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import ts from "typescript";

const web = join(import.meta.dirname, "..");
const read = (name: string) => readFileSync(join(web, name), "utf8");
const languages = globSync("locales/*.json", { cwd: web }).map((name) => name.slice("locales/".length, -".json".length));
const catalogues = Object.fromEntries(languages.map((name) => [name, JSON.parse(read(`locales/${name}.json`)) as Record<string, string>]));
const english = catalogues.en!;

const suffix = /_(zero|one|two|few|many|other)$/;
const plurals = new Set(Object.keys(english).filter((key) => key.endsWith("_other")).map((key) => key.replace(suffix, "")));
const baseOf = (key: string) => (plurals.has(key.replace(suffix, "")) ? key.replace(suffix, "") : key);
const placeholders = (text: string) => [...new Set(text.match(/\{\{\w+\}\}/g))].sort();

test("a language has the words of English in just the forms that it needs", () => {
  assert.deepEqual(languages.sort(), ["ar", "en", "es", "fr", "hi"]);
  for (const name of languages) {
    const forms = new Intl.PluralRules(name).resolvedOptions().pluralCategories;
    const wanted = [...new Set(Object.keys(english).map(baseOf))].flatMap((base) => (plurals.has(base) ? forms.map((form) => `${base}_${form}`) : [base]));
    const has = Object.keys(catalogues[name]!);
    assert.deepEqual(wanted.filter((key) => !has.includes(key)), [], `${name} lacks words`);
    assert.deepEqual(has.filter((key) => !wanted.includes(key)), [], `${name} has words that English has not`);
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

test("catalogues are sorted, so that two people who add words rarely meet", () => {
  for (const name of languages) {
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
