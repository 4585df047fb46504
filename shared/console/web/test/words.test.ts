import assert from "node:assert/strict";
import { test } from "node:test";
import { western } from "../src/digits.ts";
import { hash, isWeb, parsed, to } from "../src/place.ts";
import { chosenLanguage } from "../src/settings.ts";
import { chosen, met } from "../src/source.ts";
import { direction, isLater, known, language, list, number, relative, rich, t, teach, teachODK } from "../src/words.ts";
import ar from "../locales/ar.json" with { type: "json" };
import en from "../locales/en.json" with { type: "json" };
import odk from "../locales/odk/en.json" with { type: "json" };

teach("en", en);
teach("ar", ar);

test("a word has the form that its count needs", () => {
  chosenLanguage.value = "en";
  assert.equal(t("list.new", { count: 1 }), "1 new: show it");
  assert.equal(t("list.new", { count: 1200 }), "1,200 new: show them");
  assert.equal(t("frame.zone", { count: 2, zone: "UTC" }), "All times are those of UTC.");
  assert.deepEqual(rich("frame.zone", { zone: "UTC" }), ["All times are those of ", "UTC", "."]);
});

test("a word that is made of a code is known in every language, in whatever form", () => {
  for (const name of ["en", "ar"]) {
    chosenLanguage.value = name;
    assert.deepEqual([known("nav.api"), known("list.new"), known("list.newer")], ["nav.api", "list.new", undefined]);
  }
  assert.equal(t("list.new", { count: 2 }), ar["list.new_two"].replace("{{count}}", number(2)));
});

test("a page about a connector of ODK has its words, and no other page", () => {
  chosenLanguage.value = "en";
  teachODK("en", odk);
  met({ id: "c", input_type: "odk" });
  met({ id: "d", input_type: "registry" });
  const at = (address: string) => {
    hash.value = address;
    return [t("batch.count"), t("retry.answer", { count: 1 }), t("retry.answer", { count: 2 })];
  };
  const [ofODK, others] = [["Submissions", "1 submission is tried again.", "2 submissions are tried again."], ["Registrants", "1 registrant is tried again.", "2 registrants are tried again."]];
  assert.deepEqual(at("#/connectors/c/rejections?kind=refused"), ofODK);
  for (const address of ["#/", "#/connectors", "#/connectors/d/runs", "#/registrants/c", "#/new"]) assert.deepEqual(at(address), others, address);
  chosen.value = true; // in the form
  assert.deepEqual(at("#/new"), ofODK);
  chosen.value = false;
  assert.deepEqual(at("#/connectors/c/settings"), others);
  chosen.value = undefined;
  // What only ODK has a word for is known everywhere, as in what a problem says on the list.
  assert.deepEqual([at("#/"), known("field.odk.email"), t("field.odk.email")], [others, "field.odk.email", "ODK User email"]);
  // It is not of ODK any more.
  met({ id: "c", input_type: "registry" });
  assert.deepEqual(at("#/connectors/c"), others);
});

test("a language that is not known is English, a region is its language", () => {
  chosenLanguage.value = "xx";
  assert.equal(language.value, "en");
  chosenLanguage.value = "ar-EG";
  assert.equal(language.value, "ar");
  assert.equal(direction.value, "rtl");
  chosenLanguage.value = "qps-mirrored";
  assert.equal(direction.value, "rtl");
  assert.equal(t("nav.api"), "API");
  chosenLanguage.value = "qps-long";
  assert.equal(t("list.new", { count: 2 }), "2 néèw: shóòw théèm");
  chosenLanguage.value = "";
});

test("numbers, lists and times are those of the language", () => {
  chosenLanguage.value = "fr";
  assert.equal(number(1234.5).replace(/\s/g, " "), "1 234,5");
  assert.equal(list(["a", "b", "c"]), "a, b et c");
  const now = Date.parse("2026-11-28T12:00:00Z");
  assert.equal(relative("2026-11-28T11:57:00Z", now), "il y a 3 minutes");
  chosenLanguage.value = "en";
  assert.equal(relative("2026-11-28T11:00:01Z", now), "1 hour ago");
  assert.equal(relative("2026-11-29T12:00:00Z", now), "tomorrow");
  assert.equal(relative("2026-11-28T12:00:00Z", now), "now");
  chosenLanguage.value = "";
});

test("an address holds what is shown, whatever is in it", () => {
  const address = to(["connectors", "a/b"], { kind: "invalid", code: "", text: "x & y" });
  assert.equal(address, "#/connectors/a%2Fb?kind=invalid&text=x+%26+y");
  assert.deepEqual(parsed(address), { path: ["connectors", "a/b"], query: { kind: "invalid", text: "x & y" } });
  assert.deepEqual(parsed(""), { path: [], query: {} });
  assert.deepEqual(parsed("#/%zz?a=1?b=2"), { path: ["%zz"], query: { a: "1?b=2" } });
});

test("a link leads to the web alone", () => {
  for (const address of ["https://registry.example", "HTTP://127.0.0.1:8069/odoo"]) assert.equal(isWeb(address), true, address);
  for (const address of [undefined, "", "javascript:alert(1)", " javascript:alert(1)//https://x", "data:text/html,x", "//registry.example", "registry.example"]) assert.equal(isWeb(address), false, String(address));
});

test("a number is read whatever digits it is typed with", () => {
  for (const text of ["4711", " ٤٧١١ ", "۴۷۱۱", "४७११", "\u200e4711\u200e", "\ufeff\u200b 4711"]) assert.equal(western(text), "4711", text);
  assert.equal(western("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९"), "012345678901234567890123456789");
});

test("what is due is done within the minute, and anything else is later", () => {
  const now = Date.parse("2026-12-01T10:00:00Z");
  assert.deepEqual(["2026-12-01T09:00:00Z", "2026-12-01T10:01:00Z", "2026-12-01T10:01:01Z"].map((at) => isLater(at, now)), [false, false, true]);
  assert.equal(isLater(undefined, now), false);
});
