import assert from "node:assert/strict";
import { test } from "node:test";
import { arranged, asking, countOf, dayOf, everyPage, filterOf, type Group, helpOf, idOf, inParts, namesOf, recordLink, requestsOf, retryOf, settled, some, startOfDay } from "../src/rejections.ts";

const group = (kind: Group["kind"], code: string | undefined, count: number, more: Partial<Group> = {}): Group => ({
  kind, code, count, oldest: "2026-11-12T09:14:00Z", newest: "2026-11-28T09:00:00Z", registrants: [4711], ...more,
});

test("a filter is read of the address, and what the API would refuse is left out", () => {
  const cases: [Record<string, string>, object][] = [
    [{}, {}],
    [{ kind: "invalid", code: "ATS-REQ-010" }, { kind: "invalid", code: "ATS-REQ-010" }],
    [{ kind: "nonsense", code: "two words", registrant: "0", since: "yesterday" }, {}],
    [{ registrant: "2147483648" }, {}],
    [{ registrant: "2147483647" }, { registrant: "2147483647" }],
    [{ since: "2026-11-28T01:00:00+01:00" }, { since: "2026-11-28T00:00:00Z" }],
    [{ since: "2026-13-45T00:00:00Z" }, {}],
    [{ code: "x".repeat(201), other: "1" }, {}],
    [{ submission: "uuid:1" }, { submission: "uuid:1" }],
    [{ submission: "x".repeat(256) }, {}],
    [{ submission: "" }, {}],
  ];
  for (const [query, filter] of cases) assert.deepEqual(filterOf(query), filter);
});

test("a day begins when the clocks of the zone say so", () => {
  const cases: [string, string, string | undefined][] = [
    ["2026-11-28", "UTC", "2026-11-28T00:00:00Z"],
    ["2026-11-28", "Asia/Kolkata", "2026-11-27T18:30:00Z"],
    ["2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00Z"], // clocks change later that day
    ["2026-03-30", "Europe/Berlin", "2026-03-29T22:00:00Z"],
    ["2026-10-25", "Europe/Berlin", "2026-10-24T22:00:00Z"],
    ["2026-11-28", "Pacific/Kiritimati", "2026-11-27T10:00:00Z"],
    ["2026-11-28", "America/St_Johns", "2026-11-28T03:30:00Z"],
    ["28.11.2026", "UTC", undefined],
    ["", "UTC", undefined],
  ];
  for (const [day, zone, at] of cases) {
    assert.equal(startOfDay(day, zone), at, `${day} ${zone}`);
    if (at) assert.equal(dayOf(at, zone), day);
  }
});

test("those of a filter are tried again by one request only if it means exactly them", () => {
  assert.deepEqual(retryOf({}), {});
  assert.deepEqual(retryOf({ kind: "refused" }), { kind: "refused" });
  assert.deepEqual(retryOf({ kind: "invalid", code: "ATS-REQ-010" }), { kind: "invalid", code: "ATS-REQ-010" });
  for (const filter of [{ code: "X" }, { registrant: "4711" }, { submission: "uuid:1" }, { since: "2026-11-28T00:00:00Z" }, { kind: "invalid", since: "2026-11-28T00:00:00Z" }, { kind: "invalid", registrant: "4711" }] as const)
    assert.equal(retryOf(filter), undefined);
  assert.deepEqual(inParts([1, 2, 3, 4, 5], 2), [[1, 2], [3, 4], [5]]);
  assert.deepEqual(inParts([]), []);
  const many = requestsOf({ identifiers: Array.from({ length: 250 }, (_, at) => at + 1) });
  assert.deepEqual(many.map((one) => one.identifiers!.length), [100, 100, 50]);
  assert.deepEqual(requestsOf({ kind: "refused" }), [{ kind: "refused" }]);
  // Submissions are named by their ids, in as many requests.
  const rejection = { kind: "refused" as const, reason: "", reasons: [{ code: "x", text: "x" }], attempts: 1, since: "", last_attempt: "" };
  assert.deepEqual(some([{ ...rejection, submission: "uuid:1" }, { ...rejection, submission: "uuid:2" }].map(idOf)), { submissions: ["uuid:1", "uuid:2"] });
  assert.deepEqual(some([{ ...rejection, identifier: 12, registrant: 4 }].map(idOf)), { identifiers: [12] });
  assert.deepEqual(requestsOf({ submissions: Array.from({ length: 101 }, (_, at) => `uuid:${at}`) }).map((one) => one.submissions!.length), [100, 1]);
  assert.deepEqual([namesOf({ submissions: ["a"] }), namesOf({ identifiers: [1] }), namesOf({ kind: "refused" })], [["a"], [1], undefined]);
});

test("advice is given where the reason has none", () => {
  assert.equal(helpOf({ kind: "refused", code: "IDA-DEA-001" }), "refused");
  assert.equal(helpOf({ kind: "refused", code: "MTSC-OUTPUT-EMPTY" }), "refused_here");
  assert.equal(helpOf({ kind: "duplicate", code: "MTSC-HELD" }), undefined);
  assert.equal(helpOf({ kind: "duplicate" }), "duplicate");
  assert.equal(helpOf({ kind: "no_token", code: "MTSC-NO-ANSWER" }), "no_token");
});

test("groups tell how many a filter selects, if they can", () => {
  const groups = [group("invalid", "A", 20), group("invalid", undefined, 5), group("refused", "A", 3)];
  assert.equal(countOf({}, groups, 28), 28);
  assert.equal(countOf({ kind: "invalid" }, groups, 28), 25);
  assert.equal(countOf({ kind: "invalid", code: "A" }, groups, 28), 20);
  assert.equal(countOf({ code: "A" }, groups, 28), 23);
  assert.equal(countOf({ kind: "duplicate" }, groups, 28), 0);
  assert.equal(countOf({ kind: "invalid", code: "rare" }, groups, 28), undefined);
  assert.equal(countOf({ kind: "invalid", since: "2026-11-28T00:00:00Z" }, groups, 28), undefined);
  assert.equal(countOf({ submission: "uuid:1" }, groups, 28), undefined);
});

test("groups do not move while their counts change", () => {
  const { shown, fresh } = arranged(["invalid A", "refused B", "refused C"], [group("refused", "B", 90), group("invalid", "A", 1), group("no_token", "D", 4)], new Map([["refused C", group("refused", "C", 7)]]));
  assert.deepEqual(shown.map((one) => `${one.code} ${one.count}`), ["A 1", "B 90", "C 0"]);
  assert.equal(fresh, 1);
});

test("what became of a retry is told once a pass has come to all of the group", () => {
  const before = [group("invalid", "A", 22), group("invalid", "B", 5), group("refused", "A", 3)];
  const asked = asking({}, before, { kind: "invalid", code: "A" }, 1000);
  assert.deepEqual(Object.keys(asked), ["invalid A"]);
  const waiting = { complete: true, groups: [group("invalid", "A", 22, { asked_again: "2026-11-28T14:05:00Z" })] };
  const over = { complete: true, groups: [group("invalid", "A", 3)] };
  assert.equal(settled(asked, over, 999), asked, "read before the retry");
  assert.equal(settled(asked, waiting, 2000), asked);
  const after = settled(asked, over, 2000);
  assert.deepEqual([after["invalid A"]!.group.count, after["invalid A"]!.left], [22, 3]);
  assert.equal(settled(after, { complete: true, groups: [group("invalid", "A", 40)] }, 3000), after, "those who came later are not of it");
  assert.equal(settled(asked, { complete: true, groups: [] }, 2000)["invalid A"]!.left, 0);
  assert.equal(settled(asked, { complete: false, groups: [] }, 2000), asked, "a group that is not counted may be there");
  assert.deepEqual(Object.keys(asking({}, before, { kind: "invalid" }, 1)), ["invalid A", "invalid B"]);
  assert.equal(Object.keys(asking({}, before, {}, 1)).length, 3);
});

test("pages of CSV become one file, with one line of names and every row once", async () => {
  const pages: Record<string, { text: string; next?: string }> = {
    "": { text: "a,b\r\n1,x\r\n2,\"y\r\nz \"\"q\"\"\"\r\n", next: "p2" },
    p2: { text: "a,b\r\n", next: "p3" },
    p3: { text: "a,b\r\n3,z\r\n" },
  };
  const seen: number[] = [];
  const { file, rows } = await everyPage(async (cursor) => pages[cursor ?? ""]!, (n) => seen.push(n));
  assert.equal(await file.text(), "a,b\r\n1,x\r\n2,\"y\r\nz \"\"q\"\"\"\r\n3,z\r\n");
  assert.equal(rows, 3);
  assert.deepEqual(seen, [2, 2, 3]);
});

test("a server that is busy is waited for, and no other refusal", async () => {
  const refused = (status: number, retryAfter: number) => Object.assign(new Error(), { status, retryAfter });
  const waits: number[] = [];
  let calls = 0;
  const read = async () => {
    if (++calls < 3) throw refused(503, calls === 1 ? 5 : 0);
    return { text: "a\r\n1\r\n" };
  };
  const wait = async (ms: number) => void waits.push(ms);
  assert.equal((await everyPage(read, () => {}, wait)).rows, 1);
  assert.deepEqual(waits, [5000, 2000]);
  await assert.rejects(everyPage(async () => Promise.reject(refused(403, 0)), () => {}, wait), { status: 403 });
  await assert.rejects(everyPage(async () => Promise.reject(refused(503, 1)), () => {}, wait), { status: 503 });
  assert.deepEqual(waits, [5000, 2000, 1000, 2000, 3000]);
});

test("a registrant's record has an address if the registry has one", () => {
  const path = "/mail/view?model=res.partner&res_id=4711";
  assert.equal(recordLink("https://odoo.example", 4711), `https://odoo.example${path}`);
  assert.equal(recordLink("http://odoo.example:8069/base/?db=x#y", 4711), `http://odoo.example:8069/base${path}`);
  for (const address of [undefined, "", "javascript:alert(1)", "odoo.example", "//odoo.example"]) assert.equal(recordLink(address, 4711), undefined);
});
