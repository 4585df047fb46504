import assert from "node:assert/strict";
import { test } from "node:test";
import { heard, now } from "../src/clock.ts";

const reply = (date?: string) => ({ headers: new Headers(date === undefined ? {} : { Date: date }) });
const at = Date.parse("2026-11-28T12:00:00Z");
const ahead = () => Math.round((now() - Date.now()) / 10_000) * 10;

test("the time is the server's where the browser's clock is wrong", () => {
  heard(reply("Sat, 28 Nov 2026 17:00:00 GMT"), at);
  assert.equal(ahead(), 5 * 3600);
  heard(reply("Sat, 28 Nov 2026 10:00:00 GMT"), at);
  assert.equal(ahead(), -2 * 3600);
  for (const nothing of [undefined, "", "yesterday"]) heard(reply(nothing), at);
  assert.equal(ahead(), -2 * 3600, "a reply without a time tells nothing");
  // What a reply takes is no difference of clocks.
  heard(reply("Sat, 28 Nov 2026 11:59:30 GMT"), at);
  assert.equal(ahead(), 0);
});
