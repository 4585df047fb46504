import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";
import { at, configurationOf, direct, entry, groups, kinds, owner, pointers, presets, same, standsFor, twice, valuesOf, type Values, visible, when } from "../src/form/configuration.ts";
import { differences, merged } from "../src/form/conflict.ts";
import { latest } from "../src/form/latest.ts";
import { instant, local, nextRuns, reached, type Schedule } from "../src/form/times.ts";
import { fields } from "../src/generated/fields.ts";
import en from "../locales/en.json" with { type: "json" };
import odkWords from "../locales/odk/en.json" with { type: "json" };

const document = JSON.parse(readFileSync(new URL("../../../api/connectors/openapi.json", import.meta.url), "utf8"));
const example = document.paths["/connectors/{id}"].get.responses["200"].content["application/json"].example;

const filled = (changes: Values = {}): Values => ({
  ...presets(),
  "/name": "Household registry",
  "/mts_url": "https://mts.example.org",
  "/registry/url": "https://registry.example.org",
  "/registry/database": "openg2p",
  "/registry/username": "mts-connector",
  "/registry/password": "a password",
  ...changes,
});

test("every member of a configuration has a field in the form, and its label", () => {
  const members = Object.keys(fields).sort();
  assert.deepEqual([...pointers, ...Object.keys(standsFor)].sort(), members);
  assert.equal(new Set(pointers).size, pointers.length);
  for (const pointer of pointers) assert.ok(`field.${pointer.slice(1).replaceAll("/", ".")}` in { ...en, ...odkWords }, pointer);
});

test("the form asks for five fields, and for a password", () => {
  const required = document.components.schemas.NewConnector.required;
  const within = document.components.schemas.NewRegistry.required;
  assert.deepEqual(required, ["name", "mts_url", "registry"]);
  assert.deepEqual(within, ["url", "database", "username"]);
  const nothing = configurationOf(presets());
  for (const member of ["/name", "/mts_url", "/registry/url", "/registry/database", "/registry/username", "/registry/password", "/domain", "/starts", "/ends"]) assert.equal(at(nothing, member), undefined, member);
});

test("a form that is filled in at its five fields says the defaults", () => {
  const body = configurationOf(filled());
  assert.deepEqual(body.callback, { timeout_seconds: 30 });
  assert.deepEqual(body.mapping, { vid: "vid", name: ["given_name", "family_name"], gender: "gender", dob: "birthdate", phoneNumber: "phone", emailId: "email", fullAddress: ["address"] });
  assert.equal(body.interval_minutes, 60);
  assert.equal(body.job_type, "recurring");
  assert.equal(body.remove_vids, true);
  assert.deepEqual(body.token_shape, { alphabet: "digits", shortest: 25, longest: 64 });
  assert.deepEqual(body.fields, ["id", "given_name", "family_name", "birthdate", "gender", "address", "email", "phone"]);
  assert.equal("daily_at" in body, false);
});

test("a stored connector that is not changed is sent as it is", () => {
  const body = configurationOf(valuesOf(example));
  for (const pointer of pointers) {
    const value = at(example, pointer);
    if (value === undefined || kinds[pointer] === "secret" || kinds[pointer] === "headers" || !visible(pointer, valuesOf(example))) continue;
    const now = at(body, pointer);
    if (value === "" && now === undefined) continue; // the same by the API's defaults
    assert.deepEqual(now, value, pointer);
  }
  assert.equal(at(body, "/registry/password"), undefined);
  assert.equal(at(body, "/callback/extra_headers"), undefined);
  assert.ok(same(valuesOf(example), valuesOf(structuredClone(example))));
});

test("an empty list of a stored connector stays empty", () => {
  const body = configurationOf(valuesOf({ ...example, mapping: { ...example.mapping, fullAddress: [] }, mandatory_fields: [] }));
  assert.deepEqual(at(body, "/mapping/fullAddress"), []);
  assert.deepEqual(body.mandatory_fields, []);
});

test("what is typed becomes what the API takes, and what is wrong is sent for it to say so", () => {
  const sent = (pointer: string, value: Values[string], more: Values = {}) => at(configurationOf(filled({ [pointer]: value, ...more })), pointer);
  assert.equal(sent("/batch_maximum", " ٥٠٠ "), 500);
  assert.equal(sent("/batch_maximum", "५०"), 50);
  assert.equal(sent("/batch_maximum", "12.5"), 12.5);
  for (const wrong of ["", "many", "1e3", "0x10", "1,000", "99999999999999999999"]) assert.equal(sent("/batch_maximum", wrong), wrong.trim());
  assert.deepEqual(sent("/fields", "name,  birthdate\nstate_id"), ["name", "birthdate", "state_id"]);
  assert.deepEqual(sent("/fields", '["name", "birthdate"]'), ["name", "birthdate"]);
  assert.deepEqual(sent("/mapping/name", " given_name \n\n family_name | ascii_upcase\n"), ["given_name", "family_name | ascii_upcase"]);
  assert.equal(sent("/mapping/gender", ""), "");
  assert.equal(sent("/domain", "  \n"), undefined);
  assert.equal(sent("/domain", "[]"), "[]");
  assert.equal(sent("/output_format", "{a: 1}\n"), "{a: 1}\n");
  // A daily job without a time must not become one of an interval.
  assert.equal(sent("/daily_at", "", { [when]: "daily" }), "");
});

test("when and how to sign in decide what is sent", () => {
  const daily = configurationOf(filled({ [when]: "daily", "/daily_at": "02:30", "/time_zone": "Africa/Nairobi" }));
  assert.deepEqual([daily.job_type, daily.daily_at, daily.time_zone, "interval_minutes" in daily], ["recurring", "02:30", "Africa/Nairobi", false]);
  const once = configurationOf(filled({ [when]: "once", "/daily_at": "02:30", "/starts": "2026-12-01T00:00:00Z" }));
  assert.deepEqual([once.job_type, "daily_at" in once, "interval_minutes" in once, once.starts], ["one_time", false, false, "2026-12-01T00:00:00Z"]);

  const all = { "/callback/url": "https://api.example.org", "/callback/auth_token": "t", "/callback/auth_url": "u", "/callback/auth_database": "d", "/callback/auth_username": "n", "/callback/auth_password": "p", "/callback/auth_client_id": "i", "/callback/auth_client_secret": "s" };
  const callback = (way: string) => Object.keys(configurationOf(filled({ [direct]: true, ...all, "/callback/auth_type": way })).callback as object).filter((name) => name.startsWith("auth_")).sort();
  assert.deepEqual(callback("static_bearer"), ["auth_token", "auth_type"]);
  assert.deepEqual(callback("odoo"), ["auth_database", "auth_password", "auth_type", "auth_url", "auth_username"]);
  assert.deepEqual(callback("oauth"), ["auth_client_id", "auth_client_secret", "auth_password", "auth_type", "auth_url", "auth_username"]);
  assert.deepEqual(callback("none"), ["auth_type"]);
  // A direct one without an address must not become the managed one.
  for (const blank of ["", "  "]) assert.equal(at(configurationOf(filled({ [direct]: true, "/callback/url": blank })), "/callback/url"), "unfinished");
  // A managed callback has no address, whatever was typed before.
  assert.deepEqual(configurationOf(filled({ ...all, [direct]: false })).callback, { timeout_seconds: 30 });
});

const ofODK = (changes: Values = {}): Values =>
  filled({
    "/input_type": "odk",
    "/odk/base_url": "https://central.example.org",
    "/odk/odata_url": "https://central.example.org/v1/projects/1/forms/reg.svc",
    "/odk/email": "mts@example.org",
    "/odk/password": "another password",
    ...changes,
  });

test("the source decides which groups count", () => {
  const registry = configurationOf(ofODK({ "/input_type": "registry" }));
  assert.deepEqual(["odk" in registry, "fields" in registry, "read_one_by_one" in (registry.registry as object)], [false, true, true]);
  // Whatever was typed before for the other source is not sent.
  const body = configurationOf(ofODK({ "/domain": "[]", [direct]: true, "/callback/url": "https://api.example.org", "/registry/read_one_by_one": true }));
  for (const pointer of ["/domain", "/fields", "/registry/read_one_by_one", "/callback/url", "/odk/received_from"]) assert.equal(at(body, pointer), undefined, pointer);
  assert.deepEqual(body.callback, { timeout_seconds: 30 });
  assert.deepEqual(body.odk, {
    base_url: "https://central.example.org", odata_url: "https://central.example.org/v1/projects/1/forms/reg.svc",
    email: "mts@example.org", password: "another password", submission_type: "ODK SUBMISSION",
  });
  assert.equal(at(configurationOf(ofODK({ "/odk/received_from": "2026-11-01T00:00:00Z" })), "/odk/received_from"), "2026-11-01T00:00:00Z");
});

test("a stored connector of ODK is sent back as it is, without its passwords", () => {
  const odk = { base_url: "https://central.example.org", odata_url: "https://central.example.org/v1/projects/1/forms/reg.svc/Submissions", email: "mts@example.org", submission_type: "ODK SUBMISSION", received_from: "2026-11-01T00:00:00Z" };
  const body = configurationOf(valuesOf({ ...example, input_type: "odk", odk: { ...odk, password_set: true, done_until: "2026-11-28T00:00:00Z" } }));
  assert.deepEqual(body.odk, odk);
  assert.equal(body.input_type, "odk");
});

test("extra headers stay, are put anew, or are removed", () => {
  const headers = (rows: Values[string]) => at(configurationOf(filled({ [direct]: true, "/callback/extra_headers": rows })), "/callback/extra_headers");
  assert.equal(headers(undefined), undefined);
  assert.deepEqual(headers([]), {});
  assert.deepEqual(headers([{ name: "X-Key", value: "1" }, { name: "", value: "" }]), { "X-Key": "1" });
  assert.deepEqual(twice(filled({ [direct]: true, "/callback/extra_headers": [{ name: "A", value: "1" }, { name: "A", value: "2" }, { name: "B", value: "" }] })), ["A"]);
  assert.deepEqual(twice(filled({ "/callback/extra_headers": [{ name: "A", value: "1" }, { name: "A", value: "2" }] })), []);
});

test("a pointer of the API leads to the field that is to blame", () => {
  const values = filled();
  const cases: [string, string][] = [
    ["", ""],
    ["/name", "/name"],
    ["/registry", "/registry/url"],
    ["/mapping", "/mapping/vid"],
    ["/mapping/name/1", "/mapping/name"],
    ["/fields/3", "/fields"],
    ["/job_type", when],
    ["/daily_at", when],
    ["/callback", "/callback/timeout_seconds"],
    ["/callback/url", direct],
    ["/callback/extra_headers/X-Key", direct],
    ["/token_shape", "/token_shape/alphabet"],
    ["/nothing", ""],
  ];
  for (const [pointer, field] of cases) assert.equal(owner(pointer, values), field, pointer);
  const called = filled({ [direct]: true, "/callback/auth_type": "none" });
  assert.equal(owner("/callback/url", called), "/callback/url");
  assert.equal(owner("/callback/extra_headers/X-Key", called), "/callback/extra_headers");
  assert.equal(owner("/callback/auth_token", called), "/callback/auth_type");
  assert.equal(owner("/callback", called), "/callback/url");
  // Where the other source is chosen, the choice is what leads there.
  for (const [pointer, field] of [["/odk", "/odk/base_url"], ["/odk/password", "/odk/password"], ["/domain", "/input_type"], ["/callback/url", "/input_type"], ["/callback", "/callback/timeout_seconds"]] as const) assert.equal(owner(pointer, ofODK()), field, pointer);
  assert.equal(owner("/odk/email", values), "/input_type");
  assert.equal(entry("/fields/1", configurationOf(values)), "given_name");
  assert.equal(entry("/mapping/name/1", configurationOf(values)), "family_name");
  assert.equal(entry("/mapping/name", configurationOf(values)), "");
  assert.equal(entry("/registry/password", configurationOf(values)), ""); // nothing that is typed but names and expressions
});

test("a conflict shows what they changed, and keeps what only one side changed", () => {
  const before = filled({ "/registry/password": "" });
  const theirs = { ...before, "/interval_minutes": "30", "/name": "Theirs", "/width_maximum": "8" };
  const mine = { ...before, "/interval_minutes": "45", "/batch_maximum": "500", "/width_maximum": "8", "/registry/password": "typed" };
  const found = differences(before, theirs, mine);
  assert.deepEqual(found, [
    { field: "/name", before: "Household registry", theirs: "Theirs", mine: "Household registry", contested: false },
    { field: "/interval_minutes", before: "60", theirs: "30", mine: "45", contested: true },
  ]);
  const kept = merged(before, theirs, mine, new Set(["/name"]));
  assert.deepEqual([kept["/name"], kept["/interval_minutes"], kept["/batch_maximum"], kept["/width_maximum"], kept["/registry/password"]], ["Theirs", "45", "500", "8", "typed"]);
  assert.equal(merged(before, theirs, mine, new Set(["/interval_minutes"]))["/interval_minutes"], "30");
  // Theirs is not taken where it was turned down, though nothing was typed there.
  assert.equal(merged(before, theirs, mine, new Set())["/name"], "Household registry");
  assert.deepEqual(differences(before, before, mine), []);
});

test("a conflict does not show what is not seen on either side, nor secrets", () => {
  const before = filled();
  const theirs = { ...before, "/daily_at": "02:30", [when]: "daily" };
  assert.deepEqual(differences(before, theirs, before).map((one) => one.field), ["/daily_at", when]);
  assert.deepEqual(differences(before, { ...before, "/daily_at": "02:30" }, before), []);
  assert.deepEqual(differences(before, { ...before, "/registry/password": "x" }, before), []);
});

test("the fields of all groups are those of the form", () => {
  assert.deepEqual(Object.values(groups).flatMap((group) => Object.keys(group)), pointers);
});

// Times: the cases of shared/seeding/schedule_test.go that a form can show.
const utc = (text: string) => Date.parse(text);
const shown = (times: number[]) => times.map((time) => new Date(time).toISOString().replace(".000Z", "Z"));

test("a time on the clocks of a zone is the first moment that shows it, or a later one", () => {
  const cases: [zone: string, wall: string, at: string][] = [
    ["UTC", "2026-11-28T02:30", "2026-11-28T02:30:00Z"],
    ["Africa/Nairobi", "2026-11-28T02:30", "2026-11-27T23:30:00Z"],
    ["Asia/Kathmandu", "2026-11-28T02:30", "2026-11-27T20:45:00Z"],
    // Berlin puts its clocks forward at 02:00 on 29 March, and back at 03:00 on 25 October.
    ["Europe/Berlin", "2026-03-29T01:59", "2026-03-29T00:59:00Z"],
    ["Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00:00Z"],
    ["Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00:00Z"],
    ["Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30:00Z"],
    ["Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z"],
    // Cairo skips the hour from midnight on the last Friday of April.
    ["Africa/Cairo", "2026-04-24T00:00", "2026-04-23T22:00:00Z"],
    ["Africa/Cairo", "2026-04-24T00:30", "2026-04-23T22:00:00Z"],
    ["America/New_York", "2026-11-01T01:30", "2026-11-01T05:30:00Z"],
    ["Pacific/Kiritimati", "2026-11-28T12:00", "2026-11-27T22:00:00Z"],
    ["Pacific/Niue", "2026-11-28T12:00", "2026-11-28T23:00:00Z"],
  ];
  for (const [zone, wall, at] of cases) assert.deepEqual(shown([reached(utc(`${wall}:00Z`), zone)]), [at], `${zone} ${wall}`);
});

test("a date and time is read and shown on the clocks of the page", () => {
  for (const [zone, text, at] of [["Africa/Nairobi", "2026-12-01T09:00", "2026-12-01T06:00:00Z"], ["UTC", "2026-12-01T09:00", "2026-12-01T09:00:00Z"], ["America/New_York", "2026-07-01T00:15", "2026-07-01T04:15:00Z"]] as const) {
    assert.equal(instant(text, zone), at);
    assert.equal(local(at, zone), text);
  }
  assert.equal(local("", "UTC"), "");
  assert.equal(local("unfinished", "UTC"), "");
  assert.equal(instant("0002-12-01T09:00", "Africa/Nairobi"), "0002-12-01T09:00"); // half typed: the API refuses it
});

test("the next times are those at which a start now would begin runs", () => {
  const now = utc("2026-03-27T12:00:00Z");
  const of = (changes: Partial<Schedule>) => shown(nextRuns({ when: "interval", interval: 60, daily: "", zone: "", starts: "", ends: "", ...changes }, now, 3));
  assert.deepEqual(of({}), ["2026-03-27T12:00:00Z", "2026-03-27T13:00:00Z", "2026-03-27T14:00:00Z"]);
  assert.deepEqual(of({ starts: "2026-03-28T00:00:00Z", interval: 90 }), ["2026-03-28T00:00:00Z", "2026-03-28T01:30:00Z", "2026-03-28T03:00:00Z"]);
  assert.deepEqual(of({ ends: "2026-03-27T13:00:00Z" }), ["2026-03-27T12:00:00Z"]);
  assert.deepEqual(of({ ends: "2026-03-27T12:00:00Z" }), []);
  assert.deepEqual(of({ interval: 0 }), []);
  assert.deepEqual(of({ interval: Number.NaN }), []);
  assert.deepEqual(of({ starts: "unfinished" }), []);
  assert.deepEqual(of({ when: "once" }), ["2026-03-27T12:00:00Z"]);
  assert.deepEqual(of({ when: "once", starts: "2026-04-01T00:00:00Z" }), ["2026-04-01T00:00:00Z"]);
  // Over the night in which Berlin's clocks skip 02:30.
  assert.deepEqual(of({ when: "daily", daily: "02:30", zone: "Europe/Berlin" }), ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
  assert.deepEqual(of({ when: "daily", daily: "12:00" }), ["2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", "2026-03-30T12:00:00Z"]);
  assert.deepEqual(of({ when: "daily", daily: "12:00", starts: "2026-03-29T12:00:00Z" }), ["2026-03-29T12:00:00Z", "2026-03-30T12:00:00Z", "2026-03-31T12:00:00Z"]);
  assert.deepEqual(of({ when: "daily", daily: "12:00", ends: "2026-03-29T12:00:00Z" }), ["2026-03-28T12:00:00Z"]);
  assert.deepEqual(of({ when: "daily", daily: "" }), []);
});

test("only the last of many wishes is worked on, one at a time, and an old result is dropped", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const begun: string[] = [];
    const ends: ((text: string) => void)[] = [];
    const told: string[] = [];
    const ask = latest(300, (wish: string) => (begun.push(wish), new Promise<string>((done) => ends.push(done))), (result) => told.push(result));
    const settled = async () => {
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    };
    ask("a");
    mock.timers.tick(299);
    ask("b");
    mock.timers.tick(299);
    assert.deepEqual(begun, []);
    mock.timers.tick(1);
    assert.deepEqual(begun, ["b"]);
    ask("c");
    mock.timers.tick(300);
    assert.deepEqual(begun, ["b"], "one at a time");
    ends[0]!("of b");
    await settled();
    assert.deepEqual([begun, told], [["b", "c"], []]);
    ends[1]!("of c");
    await settled();
    assert.deepEqual(told, ["of c"]);
    ask("d");
    ask.cancel();
    mock.timers.tick(1_000);
    assert.deepEqual(begun, ["b", "c"]);
  } finally {
    mock.timers.reset();
  }
});
