import assert from "node:assert/strict";
import { test } from "node:test";
import { remedyOf } from "../src/remedies.ts";
import { byDay, figuresOf, Keys, line, listedIn, paceOf, stepsOf, timelineOf, until } from "../src/runs.ts";

const totals = { sent: 100, tokenised: 60, refused: 3, duplicate: 2, conflict: 1, no_token: 4, pending: 30 };
const run = (id: string, started: string) => ({ id, started, kind: "recurring" as const, state: "completed" as const, version: 1, passes: 1, open_batches: 0, totals, tally: { looked: 120, invalid: 5, removed: 0 } });
const change = (at: string) => ({ at, change: "start" as const, version: 1, by: { subject: "s" } });
const batch = (closed: string | undefined, tokenised: number) => ({ id: "b", state: "patched" as const, count: 50, claimed: "2026-11-28T09:00:00Z", deadline: "2026-11-28T10:00:00Z", closed, totals: { ...totals, tokenised } });

test("each registrant of a run is in one part of the bar", () => {
  assert.deepEqual(figuresOf({ ...run("r", ""), left: 40 }), { tokenised: 60, rejected: 3 + 2 + 1 + 4 + 5, waiting: 30, left: 40 });
  assert.equal(figuresOf(run("r", "")).left, undefined);
});

test("a pace is written in a unit in which it is at least one", () => {
  assert.deepEqual(paceOf(33.4), { unit: "second", rate: 33 });
  assert.deepEqual(paceOf(0.5), { unit: "minute", rate: 30 });
  assert.deepEqual(paceOf(0.01), { unit: "hour", rate: 36 });
  assert.deepEqual(paceOf(0.0001), { unit: "hour", rate: 1 });
});

test("steps are those of the batches that were answered, in the order of their answers", () => {
  const started = "2026-11-28T09:00:00Z";
  const at = (second: number) => Date.parse(started) + second * 1000;
  const steps = stepsOf(started, [batch("2026-11-28T09:00:40Z", 10), batch(undefined, 0), batch("2026-11-28T09:00:20Z", 30), batch("2026-11-28T09:00:30Z", 0)]);
  assert.deepEqual(steps, [{ at: at(0), count: 0 }, { at: at(20), count: 30 }, { at: at(40), count: 40 }]);
  assert.equal(line(steps, at(80), 100, 40), "M0 40H25V10H50V0H100");
  assert.equal(line(steps.slice(0, 1), at(0), 100, 40), "M0 40H100", "nothing yet");
});

test("a timeline has runs and changes, the newest first, by day", () => {
  const entries = timelineOf([run("2", "2026-11-28T09:00:00Z"), run("1", "2026-11-27T09:00:00Z")], [change("2026-11-28T08:00:00.5Z"), change("2026-11-26T08:00:00Z")]);
  assert.deepEqual(byDay(entries, (at) => at.slice(0, 10)).map(({ day, entries: of }) => [day, ...of.map((entry) => entry.at.slice(11))]), [
    ["2026-11-28", "09:00:00Z", "08:00:00.5Z"],
    ["2026-11-27", "09:00:00Z"],
    ["2026-11-26", "08:00:00Z"],
  ]);
});

test("a timeline ends where one of its lists has more", () => {
  const entries = timelineOf([run("1", "2026-11-27T09:00:00Z")], [change("2026-11-28T08:00:00Z"), change("2026-11-26T08:00:00Z")]);
  assert.equal(until(entries, [undefined, undefined]).length, 3);
  assert.deepEqual(until(entries, ["2026-11-27T09:00:00Z", undefined]).map((entry) => entry.at), ["2026-11-28T08:00:00Z", "2026-11-27T09:00:00Z"]);
});

test("numbers of registrants may be pasted as they come", () => {
  assert.deepEqual(listedIn("4711, 4712;4713\n\t4711\r\n ٤٧١٤،4715"), { ids: [4711, 4712, 4713, 4714, 4715], wrong: [] });
  assert.deepEqual(listedIn("7 0 -1 1.5 2147483648 id abc abc"), { ids: [7], wrong: ["0", "-1", "1.5", "2147483648", "id", "abc"] });
  assert.deepEqual(listedIn("  \n"), { ids: [], wrong: [] });
  // As a column of a spreadsheet, or copied from a page in Arabic, brings them.
  assert.deepEqual(listedIn('\ufeff"ID"\r\n"4711"\r\n\'4712\'\r\n\u200f\u2067٤٧١٣\u2069\u00a04714\r\n""\r\n'), { ids: [4711, 4712, 4713, 4714], wrong: ["ID"] });
});

test("a repeated request has the key of the first, another one has its own", () => {
  let made = 0;
  const keys = new Keys(() => `key ${++made}`);
  assert.equal(keys.of({ registrants: [1] }), "key 1");
  assert.equal(keys.of({ registrants: [1] }), "key 1");
  assert.equal(keys.of({ registrants: [2] }), "key 2");
  keys.done();
  assert.equal(keys.of({ registrants: [2] }), "key 3");
});

test("a problem leads to what can put it right", () => {
  assert.deepEqual(remedyOf("c", { source: "sign_in" }), { word: "remedy.password", link: "#/connectors/c/settings?field=%2Fregistry%2Fpassword" });
  assert.deepEqual(remedyOf("c", { source: "set_aside" }), { word: "remedy.rejections", link: "#/connectors/c/rejections?kind=set_aside" });
  assert.deepEqual(remedyOf("c", { source: "odk" }), { word: "remedy.odk", link: "#/connectors/c/settings?field=%2Fodk%2Fbase_url" });
  assert.equal(remedyOf("c", { source: "invocation" }), undefined);
});
