import assert from "node:assert/strict";
import { test } from "node:test";
import { eventsOf, joined, type Known, knows, type Open, type Past, renewed, signOf, stateOf } from "../src/registrant.ts";

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
  assert.equal(stateOf(known({}), [past("2026-11-28T09:00:00Z"), past("2026-11-01T09:00:00Z", "tokenised")]).state, "answered");
  assert.equal(stateOf(known({}), [past("2026-11-28T09:00:00Z", "rejected"), past("2026-11-01T09:00:00Z", "tokenised")]).state, "nothing");
  assert.equal(stateOf(known({}), [{ ...past("2026-11-28T09:00:00Z"), state: "lost" }]).state, "nothing");
  assert.equal(stateOf(known({}), [], [{ line: "token", result: "ok", code: "held", text: "It holds a token." }]).state, "holds_token");
  assert.equal(stateOf(known({}), []).state, "nothing");
});

test("events stand in the order of their times, and what is planned above them", () => {
  const of = known({ rejections: [rejection("2026-11-12T09:00:00Z", "2026-11-13T09:00:00Z", "2026-11-29T09:00:00Z")], open_batches: [open("2026-11-28T09:00:00.5Z")] });
  const events = eventsOf(of, [past("2026-11-12T09:00:00.1Z")]);
  assert.deepEqual(events.map((event) => event.what), ["next", "sent", "tried", "closed", "claimed", "rejected"]);
  assert.deepEqual(eventsOf(known({ rejections: [rejection("2026-11-12T09:00:00Z", "2026-11-12T09:00:00Z")] }), []).map((event) => event.what), ["rejected"]);
});

test("a search from the newest batch on keeps what was found before", () => {
  const before = { known: known({ next: "far" }), past: [past("2026-11-02T09:00:00Z"), past("2026-11-01T09:00:00Z")] };
  const again = renewed(before, { known: known({ next: "near" }), past: [past("2026-11-28T09:00:00Z"), past("2026-11-02T09:00:00Z")] });
  assert.deepEqual(again.past.map((one) => one.batch.slice(0, 10)), ["2026-11-28", "2026-11-02", "2026-11-01"]);
  assert.equal(again.known.next, "far");
  const further = { known: known({ next: undefined }), past: [...before.past, past("2026-10-01T09:00:00Z")] };
  assert.equal(renewed(before, further), further);
  assert.equal(renewed(undefined, further), further);
});

test("it is seen that something has happened", () => {
  const before = known({ rejections: [rejection("2026-11-12T09:00:00Z", "2026-11-12T09:00:00Z")] });
  assert.equal(signOf(before), signOf({ ...before, next: "x" }));
  for (const after of [known({}), { ...before, open_batches: [open("2026-11-28T09:00:00Z")] }, known({ rejections: [rejection("2026-11-12T09:00:00Z", "2026-11-13T09:00:00Z")] })])
    assert.notEqual(signOf(after), signOf(before));
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
