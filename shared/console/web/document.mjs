// What the console takes from the document of the API: types, the calls with the role
// that each needs, the limits and defaults of fields, and the sentences behind codes.
import openapiTS, { astToString } from "openapi-typescript";

const note = "// Made by build.mjs of the API's document.\n";
const methods = ["get", "post", "put", "delete"];

export async function types(api) {
  return note + astToString(await openapiTS(structuredClone(api), { defaultNonNullable: false }));
}

export function operations(api) {
  const lines = [];
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of methods) {
      const operation = item[method];
      if (!operation) continue;
      lines.push(`  ${operation.operationId}: { method: "${method.toUpperCase()}", path: "${path}", role: "${operation["x-role"] ?? "any"}" },`);
    }
  }
  return `${note}export const operations = {\n${lines.sort().join("\n")}\n} as const;\n`;
}

// fields are the members of a configuration by JSON pointer, with what a form needs of
// their schemas.
export function fields(api) {
  const found = {};
  const follow = (schema) => (schema.$ref ? { ...api.components.schemas[schema.$ref.split("/").pop()], ...schema } : schema);
  const walk = (pointer, given) => {
    const schema = follow(given);
    if (schema.properties) {
      for (const [name, inner] of Object.entries(schema.properties)) walk(`${pointer}/${name}`, inner);
      return;
    }
    const { enum: allowed, default: preset, minimum, maximum } = schema;
    const words = schema.items?.enum;
    found[pointer] = { allowed, preset, minimum, maximum, words };
  };
  for (const [name, schema] of Object.entries(api.components.schemas.NewConnector.properties)) walk(`/${name}`, schema);
  return `${note}export interface Field {
  allowed?: readonly string[];
  preset?: unknown;
  minimum?: number;
  maximum?: number;
  words?: readonly string[];
}\n\nexport const fields: Record<string, Field> = ${JSON.stringify(found, null, 2)};\n`;
}

// lists are the lists of codes whose sentences the console shows.
const lists = ["x-problem-codes", "x-line-codes", "x-rejection-codes", "x-note-codes"];

// said are the members that are sentences.
const said = ["text", "text_of_fields", "remedy", "title", "description"];

// english is every sentence of these lists, once, and the titles and descriptions of
// problems of the API itself.
export function english(api) {
  const all = new Set();
  const walk = (value) => {
    if (Array.isArray(value)) return value.forEach(walk);
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (said.includes(key) && typeof inner === "string") all.add(inner);
      else walk(inner);
    }
  };
  for (const list of [...lists, "x-problems"]) walk(api[list]);
  return [...all].sort();
}

// sentences are the lists with their sentences in another language, in the kinds of
// kinds.ts and as compact as the page reads them. A sentence without a translation is
// left out: the page then shows that of the reply.
export function sentences(api, translations, errors) {
  const translated = (value) => {
    if (Array.isArray(value)) return value.map(translated);
    if (typeof value !== "object" || value === null) return value;
    const made = {};
    for (const [key, inner] of Object.entries(value)) {
      if (!said.includes(key) || typeof inner !== "string") made[key] = translated(inner);
      else if (translations[inner]) made[key] = translations[inner];
    }
    return made;
  };
  const bare = ({ params, status, ...rest }) => rest;
  const says = (one) => said.some((member) => one[member]);
  const full = (made) => Object.fromEntries(Object.entries(made).filter(([, one]) => says(one) || (one.length ?? Object.keys(one).length) > 0));
  const each = (list, make) => full(Object.fromEntries(Object.entries(translated(api[list])).map(([code, one]) => [code, make(one, code)])));
  const linesWith = (wanted) => each("x-line-codes", (codes, line) => full(Object.fromEntries(Object.entries(codes).map(([code, list]) => [code, together(list.filter((one) => says(one) && wanted(line, one.result)))]))));
  const ofODK = (line) => line.startsWith("odk_");
  return {
    problems: { problems: each("x-problem-codes", (list) => list.filter(says).map(bare)) },
    rejections: { rejections: each("x-rejection-codes", bare), notes: each("x-note-codes", bare) },
    lines: { lines: linesWith((line, result) => !ofODK(line) && result === "ok") },
    failures: { failures: linesWith((line, result) => !ofODK(line) && result !== "ok") },
    odk: { odk: linesWith(ofODK) },
    refusals: { refusals: each("x-problems", bare), errors },
  };
}

// together makes one of the lines that say the same of several results.
function together(list) {
  const made = [];
  for (const { result, text, remedy } of list) {
    const same = made.find((other) => other.text === text && other.remedy === remedy);
    if (same) same.results.push(result);
    else made.push({ results: [result], text, remedy });
  }
  return made;
}
