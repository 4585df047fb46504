import assert from "node:assert/strict";
import { test } from "node:test";
import { eventsOf, joined, type Known, knows, type Open, type Past, stateOf } from "../src/registrant.ts";

const rejection = (since: string, last: string, next?: string) => ({
  identifier: 9121, registrant: 4711, kind: "refused" as const, reason: "r", reasons: [], attempts: 2, since, last_attempt: last, next_attempt: next,
});
const open = (claimed: string): Open => ({ connector: "c1", run: "r", batch: "b", identifier: 9121, state: "submitted", claimed, deadline: claimed });
const past = (closed: string, outcome?: Past["outcome"]): Past => ({ run: "r", batch: closed, state: "patched", claimed: closed, closed, outcome });
const known = (of: Partial<Known>): Known => ({ registrant: 4711, complete: true, rejections: [], open_batches: [], ...of });

test("the sentence is about what is true now", () => {
  const rejected = known({ rejections: [rejection("2026-11-12T09:00:00Z", "2026-11-13T09:00:00Z"), rejection("2026-11-10T09:00:00Z", "2026-11-20T09:00:00Z")] });
  const state = stateOf(rejected, [past("2026-11-28T09:00:00Z", "tokenised")]);
  assert.equal(state.state === "rejected" && state.rejection.last_attempt, "2026-11-20T09:00:00Z");
  assert.equal(stateOf({ ...rejected, open_batches: [open("2026-11-28T09:00:00Z")] }, []).state, "on_its_way");
  assert.equal(stateOf(known({}), [past("2026-11-01T09:00:00Z"), past("2026-11-28T09:00:00Z", "tokenised")]).state, "tokenised");
  assert.equal(stateOf(known({}), [past("2026-11-28T09:00:00Z"), past("2026-11-01T09:00:00Z", "tokenised")]).state, "nothing");
  assert.equal(stateOf(known({}), [], [{ line: "token", result: "ok", code: "held", text: "It holds a token." }]).state, "holds_token");
  assert.equal(stateOf(known({}), []).state, "nothing");
});

test("events stand in the order of their times, and what is planned above them", () => {
  const of = known({ rejections: [rejection("2026-11-12T09:00:00Z", "2026-11-13T09:00:00Z", "2026-11-29T09:00:00Z")], open_batches: [open("2026-11-28T09:00:00.5Z")] });
  const events = eventsOf(of, [past("2026-11-12T09:00:00.1Z")]);
  assert.deepEqual(events.map((event) => event.what), ["next", "sent", "tried", "closed", "claimed", "rejected"]);
  assert.deepEqual(eventsOf(known({ rejections: [rejection("2026-11-12T09:00:00Z", "2026-11-12T09:00:00Z")] }), []).map((event) => event.what), ["rejected"]);
});

test("further pages add to what is known", () => {
  let all = { known: known({ complete: false, next: "1", rejections: [rejection("2026-11-12T09:00:00Z", "2026-11-12T09:00:00Z")] }), past: [] as Past[] };
  all = joined(all, { registrant: 4711, complete: true, next: "2", rejections: [rejection("2026-11-13T09:00:00Z", "2026-11-13T09:00:00Z")] });
  assert.deepEqual([all.known.rejections!.length, all.known.complete, all.known.next], [2, true, "2"]);
  all = joined(all, { registrant: 4711, batches: [past("2026-11-01T09:00:00Z")] });
  assert.deepEqual([all.known.rejections!.length, all.past.length, all.known.next], [2, 1, undefined]);
});

test("a connector knows of its own batches only", () => {
  assert.equal(knows(known({}), "c1"), false);
  assert.equal(knows(known({ open_batches: [open("2026-11-28T09:00:00Z")] }), "c1"), true);
  assert.equal(knows(known({ open_batches: [open("2026-11-28T09:00:00Z")] }), "c2"), false);
  assert.equal(knows(known({ rejections: [rejection("2026-11-12T09:00:00Z", "2026-11-12T09:00:00Z")] }), "c2"), true);
});
