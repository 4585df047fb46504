// That the check finds what the oldest browsers lack, and nothing else.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { brotliCompressSync } from "node:zlib";
import { inScript, inStyle } from "./check.mjs";

for (const [script, want] of [
  ["list.toSorted()", ["toSorted"]],
  ["list?.toReversed()", ["toReversed"]],
  ['list["with"](0, 1)', ["with"]],
  ["a.union(b)", ["union"]],
  ["const { isSubsetOf } = a;", ["isSubsetOf"]],
  ["Object.groupBy(list, f)", ["Object.groupBy"]],
  ["const { groupBy } = Object;", ["Object.groupBy"]],
  ["Promise.withResolvers()", ["Promise.withResolvers"]],
  ["Promise.try(f)", ["Promise.try"]],
  ["Array.fromAsync(list)", ["Array.fromAsync"]],
  ["URL.canParse(text)", ["URL.canParse"]],
  ["URL.parse(text)", ["URL.parse"]],
  ["RegExp.escape(text)", ["RegExp.escape"]],
  ["AbortSignal.any(list)", ["AbortSignal.any"]],
  ["element.showPopover()", ["showPopover"]],
  ['element.popover = "auto"', ["popover"]],
  ['jsx("div", { popover: "auto", children: [] })', ["<div popover>"]],
  ['element.setAttribute("popover", "")', ["attribute popover"]],
  ['jsx("search", {})', ["<search>"]],
  ["new CloseWatcher()", ["CloseWatcher"]],
  ["Iterator.from(list)", ["Iterator.from"]],
  ["using file = open();", ["syntax: Unexpected token (1:6)"]],
  ["/[\\p{L}--[a-z]]/v", ["syntax: Invalid regular expression flag (1:1)"]],
]) {
  test(`a script is reported: ${script}`, () => assert.deepEqual(inScript(script), want));
}

test("a script that the oldest browsers run is not reported", () => {
  const script = `const sorted = [...list].sort(), last = list.at(-1), own = { parse: 1, union: 2 };
    JSON.parse(text); Date.parse(text); new URL(text, location.href); structuredClone(own);
    const CloseWatcher = 1; f(CloseWatcher); element.checkVisibility(); AbortSignal.timeout(1);
    dialog.showModal(); class A { static #x = 1; static { f(A.#x); } } await f?.(a ?? b);
    jsx("input", { inputMode: "numeric", onInput: f }); Object.hasOwn(own, "x"); list.findLast(f);`;
  assert.deepEqual(inScript(script), []);
});

for (const [style, want] of [
  ["main:has(h1) { color: red }", [":has"]],
  ["main { h1 { color: red } }", ["syntax: Colon is expected"]],
  ["main { & h1 { color: red } }", ["nesting"]],
  ["@media print { main { &:hover { color: red } } }", ["nesting"]],
  ["main { color: light-dark(red, blue) }", ["light-dark()"]],
  [":root { --ink: light-dark(red, blue) }", ["light-dark()"]],
  ["[popover]:popover-open { color: red }", [":popover-open"]],
  ["main { text-wrap: balance }", ["text-wrap", "text-wrap: balance"]],
  ["main { field-sizing: content }", ["field-sizing", "field-sizing: content"]],
  ["@starting-style { main { color: red } }", ["@starting-style"]],
  ["@scope (main) { h1 { color: red } }", ["@scope"]],
  ["@media (prefers-reduced-transparency: reduce) { main { color: red } }", ["@media (prefers-reduced-transparency)"]],
]) {
  test(`a style is reported: ${style}`, () => assert.deepEqual(inStyle(style), want));
}

test("a style that the oldest browsers have is not reported", () => {
  const style = `:root { color-scheme: light dark; --gap: 1rem } main:is(h1, h2):not(:focus-visible) { inset-inline: 0; margin-block: calc(1px + var(--gap)) }
    @media (max-width: 40rem) and (prefers-color-scheme: dark) { main { display: grid; gap: min(1rem, 2dvh); color: rgb(1 2 3 / 50%) } }
    @supports (text-wrap: balance) { main { text-wrap: balance } }`;
  assert.deepEqual(inStyle(style), []);
});

test("a file that is served fails the check, and so does none", () => {
  const folder = mkdtempSync(join(tmpdir(), "browsers-"));
  const check = (script, style) => {
    writeFileSync(join(folder, "main-1.js.br"), brotliCompressSync(script));
    writeFileSync(join(folder, "main-1.css.br"), brotliCompressSync(style));
    const files = [join(folder, "main-1.js.br"), join(folder, "main-1.css.br")];
    const { status, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, "check.mjs"), ...files], { encoding: "utf8" });
    return [status, [...stderr.matchAll(/lacks (.*)/g)].map((match) => match[1])];
  };
  try {
    assert.deepEqual(check("f(1)", "main { color: red }"), [0, []]);
    assert.deepEqual(check("list.toSorted()", "main:has(h1) { color: red }"), [1, ["toSorted", ":has"]]);
    assert.equal(spawnSync(process.execPath, [join(import.meta.dirname, "check.mjs")]).status, 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
