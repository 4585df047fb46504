import assert from "node:assert/strict";
import { test } from "node:test";
import { gathered } from "../src/lines.ts";

const line = (result: "ok" | "failure" | "not_tried", text: string) => ({ line: "reads", result, code: "c", text }) as unknown as Parameters<typeof gathered>[0][number];
const shown = (lines: Parameters<typeof gathered>[0]) => gathered(lines).map(({ line, also }) => `${line.text} +${also}`);

test("lines that were not tried for one reason are one, and no others", () => {
  const waits = line("not_tried", "not signed in");
  assert.deepEqual(shown([line("ok", "reached"), line("failure", "refused"), waits, waits, waits]), ["reached +0", "refused +0", "not signed in +2"]);
  assert.deepEqual(shown([waits, line("not_tried", "no such type"), waits]), ["not signed in +0", "no such type +0", "not signed in +0"]);
  assert.deepEqual(shown([line("failure", "same"), line("failure", "same"), line("not_tried", "same")]), ["same +0", "same +0", "same +0"]);
  assert.deepEqual(shown([]), []);
});
