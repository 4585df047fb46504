// What a form holds while it is filled in: what is typed, what the API says of it, and
// which fields were left.
import { signal } from "@preact/signals";
import { call, type Schemas } from "../api.ts";
import { type Check, remember } from "../parts/check.tsx";
import { allowed } from "../person.ts";
import { t } from "../words.ts";
import { configurationOf, owner, pointers, presets, same, twice, type Value, type Values, valuesOf, visible } from "./configuration.ts";
import { latest } from "./latest.ts";

export type Flaw = Omit<Schemas["FieldError"], "pointer" | "parameter"> & { pointer: string };

export type Connector = Schemas["Connector"];

// What is only missing is no error before somebody wants to save.
const missing = ["required", "password_required", "auth_required", "auth_who", "required_with", "needs"];

const wait = 300; // ms

// Form is a form of a new connector, or of one that is stored.
export class Form {
  readonly values = signal<Values>({});
  // What is typed differs from this, or there is nothing to save.
  readonly before = signal<Values>({});
  readonly stored = signal<Connector | undefined>(undefined);
  readonly errors = signal<Flaw[]>([]);
  readonly warnings = signal<Flaw[]>([]);
  // What keeps the draft from being checked.
  readonly blocking = signal<Flaw[]>([]);
  // Whether somebody wanted to save, so that what is missing counts.
  readonly tried = signal(false);
  // The field of jq or of a domain that had the focus last, for names to be put into.
  readonly last = signal("");
  // Counts what is typed, so that it is known whether something is about it. The body
  // itself would keep secrets longer than the form.
  readonly revision = signal(0);
  // The last check of what was typed, at a revision.
  checked: { revision: number; check: Check } | undefined;
  private readonly left = new Set<string>();
  private readonly ask = latest(
    wait,
    async (values: Values) => (await call("validateConfiguration", { body: { connector: this.stored.value?.id, configuration: configurationOf(values) } })).data,
    ({ errors, warnings }) => this.hold(errors, warnings),
  );

  constructor(of?: Connector, copy = false) {
    if (of && !copy) this.adopt(of);
    else {
      const values = of ? { ...valuesOf(of), "/name": t("form.copy_name", { name: of.name }) } : presets();
      this.values.value = values;
      this.before.value = values;
    }
  }

  // adopt takes what is stored for what is typed.
  adopt(c: Connector): void {
    const values = valuesOf(c);
    this.stored.value = c;
    this.before.value = values;
    this.values.value = values;
    this.errors.value = [];
    this.tried.value = false;
    this.left.clear();
    this.ask.cancel();
  }

  get dirty(): boolean {
    return !same(this.values.value, this.before.value);
  }

  get body(): Record<string, unknown> {
    return configurationOf(this.values.value);
  }

  set(field: string, value: Value): void {
    this.put({ ...this.values.value, [field]: value });
  }

  put(values: Values): void {
    this.revision.value++;
    this.values.value = values;
  }

  // saved takes what was saved, and the check of it, for what is stored.
  saved(c: Connector): void {
    if (this.checked?.revision === this.revision.value) remember(this.checked.check, c.id);
    this.adopt(c);
  }

  // leave is called when a field is left: it is checked, with all others.
  leave(field: string): void {
    this.left.add(field);
    if (allowed("validateConfiguration")) this.ask(this.values.value);
  }

  // own are the errors of what the API is not told.
  private own(values: Values): Flaw[] {
    const found: Flaw[] = twice(values).map((name) => ({ pointer: `/callback/extra_headers/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`, code: "twice", detail: "is there twice" }));
    if (visible("/callback/url", values) && !String(values["/callback/url"]).trim()) found.push({ pointer: "/callback/url", code: "required", detail: "is required" });
    return found;
  }

  // hold keeps what the API said of what is typed.
  hold(errors: Pick<Schemas["FieldError"], "code" | "params" | "detail" | "pointer">[], warnings?: Schemas["Warning"][]): void {
    const own = this.own(this.values.value);
    const theirs = errors.map((error) => ({ ...error, pointer: error.pointer ?? "" })).filter((error) => !own.some((one) => one.pointer === error.pointer));
    this.errors.value = [...own, ...theirs];
    if (warnings) this.warnings.value = warnings;
  }

  // wanted is called before saving: it reports whether what the API is not told is fine.
  wanted(): boolean {
    this.tried.value = true;
    this.ask.cancel();
    const own = this.own(this.values.value);
    if (own.length > 0) this.errors.value = [...own, ...this.errors.value.filter((error) => !own.some((one) => one.pointer === error.pointer))];
    return own.length === 0;
  }

  // refused holds the errors that keep a draft from being looked at. They are told at
  // once; what is only missing is not among them.
  refused(errors: Flaw[]): void {
    this.blocking.value = errors;
    if (errors.length === 0) return;
    for (const error of errors) this.left.add(this.fieldOf(error));
    this.hold(errors);
  }

  // shown are the errors of a field that people are told now, "" for those of no field.
  shown(field: string): Flaw[] {
    return this.told().filter((error) => this.fieldOf(error) === field);
  }

  told(): Flaw[] {
    const all = this.tried.value ? this.errors.value : this.errors.value.filter((error) => this.left.has(this.fieldOf(error)) && !missing.includes(error.code));
    const place = (error: Flaw) => places.indexOf(this.fieldOf(error));
    return [...all].sort((a, b) => place(a) - place(b));
  }

  doubts(field: string): Flaw[] {
    return this.warnings.value.filter((warning) => this.fieldOf(warning) === field);
  }

  fieldOf(flaw: { pointer: string }): string {
    return owner(flaw.pointer, this.values.value);
  }
}

// The order of the form.
const places: string[] = ["", ...pointers];
places.splice(places.indexOf("/callback/url"), 0, "direct");
places.splice(places.indexOf("/interval_minutes"), 0, "when");
