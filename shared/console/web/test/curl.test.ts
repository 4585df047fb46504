import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { callsOf, curlOf, quoted, variablesOf } from "../src/curl.ts";
import { operations } from "../src/generated/operations.ts";

const document = JSON.parse(readFileSync(new URL("../../../api/connectors/openapi.json", import.meta.url), "utf8"));
const groups = callsOf(document);
const calls = groups.flatMap((group) => group.calls);
const command = (id: string) => curlOf(calls.find((call) => call.id === id)!);

test("every call of the document is listed once", () => {
  assert.deepEqual(calls.map((call) => call.id).sort(), Object.keys(operations).sort());
});

test("a command has what its call needs", () => {
  assert.equal(command("readDocument"), `curl -sS --fail-with-body \\\n  "$API/openapi.json"`);
  assert.equal(command("readRun"), `curl -sS --fail-with-body \\\n  -H "Authorization: Bearer $TOKEN" \\\n  "$API/connectors/$CONNECTOR/runs/$RUN"`);
  assert.equal(command("stopConnector"), `curl -sS --fail-with-body \\\n  -X POST \\\n  -H "Authorization: Bearer $TOKEN" \\\n  "$API/connectors/$CONNECTOR/stop"`);
  assert.match(command("deleteConnector"), /-X DELETE [^]*-H 'If-Match: "3"'/);
  assert.match(command("replaceConnector"), /-X PUT [^]*--data '\{/);
});

test("a shell passes on what a command says", () => {
  for (const call of calls) {
    const shell = `curl() { for word; do printf '%s\\0' "$word"; done; }\n${curlOf(call)}`;
    const variables = Object.fromEntries(["API", "TOKEN", ...variablesOf(calls)].map((name) => [name, `<${name}>`]));
    const words = execFileSync("sh", ["-c", shell], { env: { ...process.env, ...variables }, encoding: "utf8" }).split("\0").slice(0, -1);
    if (call.body !== undefined) assert.deepEqual(JSON.parse(words[words.indexOf("--data") + 1]!), call.body, call.id);
    assert.doesNotMatch(words.at(-1)!, /[{}]/, call.id);
    assert.ok(words.at(-1)!.startsWith("<API>/"), call.id);
  }
  assert.equal(execFileSync("sh", ["-c", `printf %s ${quoted("it's $HOME `x` \\")}`], { encoding: "utf8" }), "it's $HOME `x` \\");
});
