// Builds the console into ../dist. Every file there is compressed by brotli and served as
// it is. The same sources give the same bytes; it does nothing if none changed.
//
//   node build.mjs            build
//   node build.mjs --types    only what is made of the API's document, for tsc and tests
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";
import * as esbuild from "esbuild";
import { minify } from "terser";
import { fields, operations, sentences, types } from "./document.mjs";
import { shortened } from "./shorten.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "..", "dist");
const generated = join(here, "src", "generated");
const document = join(here, "..", "..", "api", "connectors", "openapi.json");

const api = JSON.parse(readFileSync(document, "utf8"));
mkdirSync(generated, { recursive: true });
writeFileSync(join(generated, "operations.ts"), operations(api));
writeFileSync(join(generated, "fields.ts"), fields(api));
writeFileSync(join(generated, "api.ts"), await types(api));
if (process.argv.includes("--types")) process.exit(0);

const hash = (bytes) => createHash("sha256").update(bytes).digest("hex").slice(0, 10);

const stamp = join(dist, "stamp");
const sources = ["package-lock.json", "build.mjs", "document.mjs", "shorten.mjs", ...globSync("{src,styles,locales}/**/*.{ts,tsx,css,html,json}", { cwd: here })].sort();
const sum = hash(sources.map((name) => hash(readFileSync(join(here, name)))).join());
if (existsSync(stamp) && readFileSync(stamp, "utf8") === sum) process.exit(0);

for (const name of existsSync(dist) ? readdirSync(dist) : []) {
  if (name !== ".gitkeep") rmSync(join(dist, name));
}
mkdirSync(dist, { recursive: true });

const languageOf = (name) => name.replace(/.*[\\/](.*)\.json$/, "$1");

// put writes a file under a name that changes with its content, or with a mark, and
// returns that.
function put(name, type, content, mark = hash(content)) {
  const full = `${name}-${mark}.${type}`;
  writeFileSync(join(dist, `${full}.br`), brotliCompressSync(content));
  return full;
}

const read = (language, folder = "") => JSON.parse(readFileSync(join(here, "locales", folder, `${language}.json`), "utf8"));
const languages = globSync("locales/*.json", { cwd: here }).map(languageOf).sort();
// Words that come with what the API says, by its kinds.
const later = ["odk", "problems", "refusals"];

// Offices with Windows 7 and 8.1 end there.
const target = ["chrome109", "firefox115"];
const bundle = await esbuild.build({
  absWorkingDir: here,
  entryPoints: ["src/main.tsx", "styles/main.css"],
  outdir: "out",
  bundle: true,
  minify: true,
  write: false,
  format: "esm",
  charset: "utf8",
  target,
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
});
const output = (type) => bundle.outputFiles.find((file) => file.path.endsWith(type)).text;

// The words of the languages are loaded one language at a time, and what the API says by
// language and kind. The files of that have one mark: the script would have to know one
// for each.
const { script, packed, numbered } = shortened(output(".js"), read("en"), Object.assign({}, ...later.map((kind) => read("en", kind))));
const words = {};
const codes = {};
const said = [];
for (const language of languages) {
  words[language] = put(`words-${language}`, "json", JSON.stringify(packed(read(language))));
  const all = sentences(api, read(language, "sentences"), read(language, "errors"));
  for (const kind of later) all[kind].words = numbered(read(language, kind));
  const kinds = Object.entries(all).filter(([, one]) => Object.values(one).some((list) => Object.keys(list).length > 0));
  codes[language] = kinds.map(([kind]) => kind);
  for (const [kind, one] of kinds) said.push([`sentences-${kind}-${language}`, JSON.stringify(one)]);
}
const mark = hash(said.join());
for (const [name, content] of said) put(name, "json", content, mark);
const whole = await esbuild.transform(script, { charset: "utf8", target, define: { WORDS: JSON.stringify(words), SENTENCES: JSON.stringify(codes), MARK: JSON.stringify(mark) } });
// terser finds 3 % that esbuild leaves.
const main = await minify(whole.code, { module: true, ecma: 2020, compress: { passes: 2, unsafe_arrows: true, if_return: false } });

const page = readFileSync(join(here, "src", "index.html"), "utf8")
  .replace("{script}", put("main", "js", main.code))
  .replace("{style}", put("main", "css", output(".css")));
writeFileSync(join(dist, "index.html.br"), brotliCompressSync(page));
writeFileSync(stamp, sum);
