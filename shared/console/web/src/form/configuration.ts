// A configuration as a form has it: what is typed, by JSON pointer, and the body of a
// request that is made of it. What is right and wrong is said by the API alone.
import type { Schemas } from "../api.ts";
import { western } from "../digits.ts";
import { fields } from "../generated/fields.ts";

// Header is an extra header of a direct callback.
export interface Header {
  name: string;
  value: string;
}

// What one field holds: a text, a switch, marked words, or headers. undefined are
// headers that stay as they are stored.
export type Value = string | boolean | string[] | Header[] | undefined;
export type Values = Record<string, Value>;

// Two choices that a configuration has no member for: when it recurs, and who is called.
export const when = "when";
export const direct = "direct";
export type When = "interval" | "daily" | "once";

export type Kind =
  | "line" // a text that is left out when it is empty
  | "text" // a text that is sent as it is
  | "expression" // of jq
  | "secret"
  | "whole"
  | "choice"
  | "switch"
  | "marks" // some words of a list
  | "names" // names with spaces or commas between
  | "expressions" // one on a line
  | "program" // a text of many lines
  | "headers"
  | "time"
  | "zone" // empty is UTC
  | "moment"
  | "fixed"; // there is nothing to choose

// The fields in the order of the form, which is that of Odoo's.
export const groups = {
  source: { "/name": "line", "/input_type": "choice" },
  odk: { "/odk/base_url": "line", "/odk/odata_url": "line", "/odk/email": "line", "/odk/password": "secret", "/odk/received_from": "moment" },
  mts: { "/mts_url": "line" },
  registry: { "/registry/url": "line", "/registry/database": "line", "/registry/username": "line", "/registry/password": "secret" },
  sent: {
    "/fields": "names",
    "/mapping/vid": "expression",
    "/mapping/name": "expressions",
    "/mapping/gender": "expression",
    "/mapping/dob": "expression",
    "/mapping/phoneNumber": "expression",
    "/mapping/emailId": "expression",
    "/mapping/fullAddress": "expressions",
    "/domain": "program",
    "/mandatory_fields": "marks",
  },
  back: {
    "/output_type": "fixed",
    "/delivery_type": "fixed",
    "/output_format": "program",
    "/callback/url": "text",
    "/callback/http_method": "choice",
    "/callback/in_bulk": "switch",
    "/callback/auth_type": "choice",
    "/callback/auth_token": "secret",
    "/callback/auth_url": "text",
    "/callback/auth_database": "text",
    "/callback/auth_username": "text",
    "/callback/auth_password": "secret",
    "/callback/auth_client_id": "text",
    "/callback/auth_client_secret": "secret",
    "/callback/extra_headers": "headers",
    "/callback/timeout_seconds": "whole",
  },
  when: { "/interval_minutes": "whole", "/daily_at": "time", "/time_zone": "zone", "/starts": "moment", "/ends": "moment" },
  advanced: {
    "/language": "text",
    "/registry/vid_type": "text",
    "/registry/token_type": "text",
    "/odk/submission_type": "text",
    "/registry/read_one_by_one": "switch",
    "/batch_maximum": "whole",
    "/width_maximum": "whole",
    "/remove_vids": "switch",
    "/token_shape/alphabet": "choice",
    "/token_shape/shortest": "whole",
    "/token_shape/longest": "whole",
  },
} as const satisfies Record<string, Record<string, Kind>>;

export type Group = keyof typeof groups;
type Of<G> = G extends Record<infer P, Kind> ? P & string : never;
export type Pointer = { [G in Group]: Of<(typeof groups)[G]> }[Group];

export const kinds: Record<string, Kind> = Object.assign({}, ...Object.values(groups));
export const pointers = Object.keys(kinds) as Pointer[];

// The members that the choice of when, and of who is called, stands for.
export const standsFor: Record<string, string> = { "/job_type": when };

// Which ways to sign in at a direct callback have a field.
const ways: Record<string, readonly string[]> = {
  "/callback/auth_token": ["static_bearer"],
  "/callback/auth_url": ["odoo", "oauth"],
  "/callback/auth_database": ["odoo"],
  "/callback/auth_username": ["odoo", "oauth"],
  "/callback/auth_password": ["odoo", "oauth"],
  "/callback/auth_client_id": ["oauth"],
  "/callback/auth_client_secret": ["oauth"],
};

const recurring: Record<string, When> = { "/interval_minutes": "interval", "/daily_at": "daily", "/time_zone": "daily" };

// ofODK reports whether what is sent comes from ODK Central.
export const ofODK = (values: Values) => values["/input_type"] === "odk";

// What counts for one of the sources alone, besides all of a direct callback.
const ofRegistry = ["/fields", "/domain", "/registry/read_one_by_one"];

// visible reports whether a field means something beside what is chosen. What cannot
// be seen is not sent.
export function visible(pointer: string, values: Values): boolean {
  if (ofODK(values) ? ofRegistry.includes(pointer) : pointer.startsWith("/odk/")) return false;
  if (pointer in recurring) return values[when] === recurring[pointer];
  if (pointer.startsWith("/callback/") && pointer !== "/callback/timeout_seconds") {
    const way = ways[pointer];
    return values[direct] === true && !ofODK(values) && (!way || way.includes(String(values["/callback/auth_type"])));
  }
  return true;
}

// shown is a member of a document as the form holds it.
function shown(kind: Kind, value: unknown): Value {
  switch (kind) {
    case "switch":
      return value === true;
    case "marks":
      return Array.isArray(value) ? value.map(String) : [];
    case "names":
      return Array.isArray(value) ? value.join(", ") : "";
    case "expressions":
      return Array.isArray(value) ? value.join("\n") : "";
    case "headers":
      return undefined;
    case "zone":
      return typeof value === "string" && value !== "UTC" ? value : "";
    default:
      return value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
  }
}

// presets are the values of a new connector.
export function presets(): Values {
  const values: Values = { [when]: "interval", [direct]: false };
  for (const pointer of pointers) values[pointer] = shown(kinds[pointer]!, fields[pointer]?.preset);
  values["/domain"] = ""; // it follows from the identifier types
  return values;
}

// valuesOf are the values of a connector that is stored. Secrets are empty.
export function valuesOf(c: Schemas["Connector"]): Values {
  const values = presets();
  for (const pointer of pointers) {
    const value = at(c, pointer);
    if (value !== undefined) values[pointer] = shown(kinds[pointer]!, value);
  }
  values[when] = c.job_type !== "recurring" ? "once" : c.daily_at ? "daily" : "interval";
  values[direct] = Boolean(c.callback.url);
  return values;
}

// sent is what a field holds as a member of a request; undefined if it is left out.
// What cannot be a number is sent as it is, so that the API says what is wrong.
function sent(kind: Kind, value: Value): unknown {
  switch (kind) {
    case "line":
    case "secret":
    case "zone":
    case "moment":
      return value || undefined;
    case "program":
      return String(value ?? "").trim() ? value : undefined;
    case "whole": {
      const text = western(String(value ?? ""));
      return /^-?\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : text;
    }
    case "names":
      return String(value ?? "").split(/[\s,;[\]()"']+/).filter(Boolean);
    case "expressions":
      return String(value ?? "").split("\n").map((line) => line.trim()).filter(Boolean);
    case "headers": {
      const rows = value as Header[] | undefined;
      return rows && Object.fromEntries(rows.filter((row) => row.name || row.value).map((row) => [row.name, row.value]));
    }
    default:
      return value;
  }
}

// unfinished is sent for what is not typed to its end, and must not count as left out:
// a date, and the address of a direct callback. The API refuses it.
export const unfinished = "unfinished";

// configurationOf is the body that is made of what is typed.
export function configurationOf(values: Values): Record<string, unknown> {
  const body: Record<string, unknown> = { job_type: values[when] === "once" ? "one_time" : "recurring" };
  for (const pointer of pointers) {
    if (!visible(pointer, values)) continue;
    let value = sent(kinds[pointer]!, values[pointer]);
    if (pointer === "/callback/url" && !String(value).trim()) value = unfinished; // empty is the managed one
    if (value === undefined) continue;
    const path = pointer.slice(1).split("/");
    const name = path.pop()!;
    let within = body;
    for (const piece of path) within = (within[piece] ??= {}) as Record<string, unknown>;
    within[name] = value;
  }
  return body;
}

// at is the value at a JSON pointer; undefined if there is none.
export function at(document: unknown, pointer: string): unknown {
  let value = document;
  for (const piece of pointer.slice(1).split("/")) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string, unknown>)[piece.replaceAll("~1", "/").replaceAll("~0", "~")];
  }
  return value;
}

// owner is the field that a pointer of the API leads to: the one that has it or holds
// it, else the first one within it, or the choice by which it is seen; "" if it is
// about the whole.
export function owner(pointer: string, values: Values): string {
  if (pointer in standsFor) return standsFor[pointer]!;
  const found =
    pointers.find((one) => pointer === one || pointer.startsWith(`${one}/`)) ??
    (pointer ? pointers.find((one) => one.startsWith(`${pointer}/`) && visible(one, values)) : undefined);
  if (!found || visible(found, values)) return found ?? "";
  if (found in recurring) return when;
  if (found.startsWith("/odk/") || ofODK(values)) return "/input_type";
  return values[direct] === true ? "/callback/auth_type" : direct;
}

// entry is the entry of a list that a pointer leads to, such as a name that is none.
export function entry(pointer: string, sentBody: unknown): string {
  const value = kinds[pointer] ? undefined : at(sentBody, pointer);
  return typeof value === "string" && /\/(name|fullAddress|fields)\/\d+$/.test(pointer) ? value : "";
}

// twice are the names of headers that are there twice, which no body can hold.
export function twice(values: Values): string[] {
  if (!visible("/callback/extra_headers", values)) return [];
  const names = ((values["/callback/extra_headers"] as Header[] | undefined) ?? []).map((row) => row.name);
  return [...new Set(names.filter((name, place) => name && names.indexOf(name) !== place))];
}

// same reports whether two forms would send the same.
export function same(a: Values, b: Values): boolean {
  return JSON.stringify(configurationOf(a)) === JSON.stringify(configurationOf(b));
}
