// What the pages of rejections decide: filters, which request tries again whom, what
// became of it, and files for people.
import type { Refused, Schemas } from "./api.ts";
import { isWeb } from "./place.ts";

export type Rejection = Schemas["Rejection"];
export type Group = Schemas["RejectionGroup"];
export type Kind = Schemas["RejectionKind"];
export type Retry = Pick<Partial<Schemas["Retry"]>, "kind" | "code" | "identifiers" | "submissions">;

export const kinds: Kind[] = ["invalid", "refused", "duplicate", "conflict", "no_token", "set_aside"];

// What a rejection is named by: the submission, or the identifier that holds the VID.
export type Id = string | number;

export const idOf = ({ submission, identifier }: Pick<Rejection, "submission" | "identifier">): Id => submission ?? identifier!;

// namesOf are the rejections that a retry names one by one, and some is a retry that does.
export const namesOf = ({ identifiers, submissions }: Retry): Id[] | undefined => submissions ?? identifiers;

export function some(ids: Id[]): Retry {
  return typeof ids[0] === "string" ? { submissions: ids as string[] } : { identifiers: ids as number[] };
}

// A filter of rejections as the API takes it: since in UTC, texts as in an address.
export interface Filter {
  kind?: Kind;
  code?: string;
  since?: string;
  registrant?: string;
  submission?: string;
}

// isRegistrant reports whether a text is the number of a registrant, as Odoo counts.
export function isRegistrant(text: string): boolean {
  return /^[1-9]\d{0,9}$/.test(text) && Number(text) <= 2147483647;
}

// filterOf reads a filter of an address. What the API would refuse is left out.
export function filterOf(query: Record<string, string>): Filter {
  const { kind, code, since, registrant, submission } = query;
  const filter: Filter = {};
  if (kinds.includes(kind as Kind)) filter.kind = kind as Kind;
  if (code && /^[!-~]{1,200}$/.test(code)) filter.code = code;
  const at = since && /^\d{4}-\d\d-\d\d/.test(since) ? Date.parse(since) : NaN;
  if (!Number.isNaN(at)) filter.since = utc(at);
  if (registrant && isRegistrant(registrant)) filter.registrant = registrant;
  if (submission && [...submission].length <= 255) filter.submission = submission;
  return filter;
}

export function utc(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, "Z");
}

// startOfDay is when a day (2026-11-28) begins in a time zone, in UTC; undefined for
// what is no day.
export function startOfDay(day: string, zone: string): string | undefined {
  const wall = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : NaN;
  if (Number.isNaN(wall)) return undefined;
  const first = wall - offset(wall, zone);
  return utc(wall - offset(first, zone)); // the offset changed between the two, perhaps
}

// dayOf is the day of a time in a time zone.
export function dayOf(at: string, zone: string): string {
  const time = Date.parse(at);
  return new Date(time + offset(time, zone)).toISOString().slice(0, 10);
}

// offset is what the clocks of a zone are ahead of UTC at a time, in ms.
function offset(at: number, zone: string): number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
  });
  const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(part.year!, part.month! - 1, part.day, part.hour, part.minute, part.second) - Math.floor(at / 1000) * 1000;
}

// retryOf is the request that tries again exactly those that a filter selects;
// undefined if only naming them one by one does. Those of a registrant, or of a submission, are named, because
// the API does not look for them among very many.
export function retryOf({ kind, code, since, registrant, submission }: Filter): Retry | undefined {
  if (since || registrant || submission || (code && !kind)) return undefined;
  return kind ? (code ? { kind, code } : { kind }) : {};
}

// helpOf is which advice belongs to a rejection. The reasons of the connector itself
// (MTSC-…) say what to do; who was refused for one is tried again all the same.
export function helpOf({ kind, code = "" }: { kind: Kind; code?: string }): Kind | "refused_here" | undefined {
  if (!code.startsWith("MTSC-") || kind === "no_token" || kind === "set_aside") return kind;
  return kind === "refused" ? "refused_here" : undefined;
}

// The most that one request names.
export const atOnce = 100;

// inParts cuts a list into parts of the size of one request.
export function inParts<T>(list: T[], size = atOnce): T[][] {
  const parts: T[][] = [];
  for (let at = 0; at < list.length; at += size) parts.push(list.slice(at, at + size));
  return parts;
}

export function keyOf(group: Pick<Group, "kind" | "code">): string {
  return `${group.kind} ${group.code ?? ""}`;
}

// countOf is how many a filter selects by the counts of the groups; undefined if they
// cannot tell.
export function countOf({ kind, code, since, registrant, submission }: Filter, groups: Group[], total: number): number | undefined {
  if (since || registrant || submission) return undefined;
  if (!kind && !code) return total;
  const own = groups.filter((group) => (!kind || group.kind === kind) && (!code || group.code === code));
  if (code && own.length === 0) return undefined; // one that is too rare to be listed
  return own.reduce((sum, group) => sum + group.count, 0);
}

// What was tried again in this page, by the key of its group: the group as it was,
// when the request was answered, and, once a pass has come to all of them, how many are
// in the group then.
export interface Asked {
  group: Group;
  at: number; // ms
  left?: number;
}

// arranged keeps groups in the order in which they were drawn first, so that nothing
// moves under who reads them; one that is gone keeps its place with nobody in it. fresh
// are those that are not drawn.
export function arranged(order: string[], groups: Group[], before: Map<string, Group>): { shown: Group[]; fresh: number } {
  const by = new Map(groups.map((group) => [keyOf(group), group]));
  const gone = (key: string) => {
    const group = before.get(key);
    return group && { ...group, count: 0 };
  };
  const shown = order.map((key) => by.get(key) ?? gone(key)).filter((group): group is Group => group !== undefined);
  return { shown, fresh: groups.filter((group) => !order.includes(keyOf(group))).length };
}

// asking adds what a retry of a kind, of a kind with codes, or of all asked for.
export function asking(before: Record<string, Asked>, groups: Group[], what: Retry, at: number): Record<string, Asked> {
  const after = { ...before };
  for (const group of groups) {
    if (what.kind && what.kind !== group.kind) continue;
    if (what.code && what.code !== group.code) continue;
    after[keyOf(group)] = { group, at };
  }
  return after;
}

// settled notes for whom a pass has come: the reply names the group no more as one
// that was asked for again. Only replies to what was read after the retry tell. The
// same object is returned if nothing is new.
export function settled(before: Record<string, Asked>, reply: { groups: Group[]; complete: boolean }, begun: number): Record<string, Asked> {
  const by = new Map(reply.groups.map((group) => [keyOf(group), group]));
  let after = before;
  for (const [key, asked] of Object.entries(before)) {
    const group = by.get(key);
    if (asked.left !== undefined || begun <= asked.at || group?.asked_again || (!group && !reply.complete)) continue;
    after = { ...after, [key]: { ...asked, left: group?.count ?? 0 } };
  }
  return after;
}

// requestsOf are the requests of a retry: of many names as many as it needs.
export function requestsOf(what: Retry): Retry[] {
  const names = namesOf(what);
  return names ? inParts(names).map(some) : [what];
}

// everyPage reads all pages of CSV into one file: the line of names only once. seen is
// told how many rows there are so far. A server that is busy is waited for. The browser
// may keep what was read on disk.
export async function everyPage(
  read: (cursor?: string) => Promise<{ text: string; next?: string }>,
  seen: (rows: number) => void,
  wait: (ms: number) => Promise<void> = (ms) => new Promise((done) => setTimeout(done, ms)),
): Promise<{ file: Blob; rows: number }> {
  const pieces: Blob[] = [];
  let rows = 0;
  let cursor: string | undefined;
  do {
    const page = await patient(() => read(cursor), wait);
    const begin = page.text.indexOf("\n") + 1;
    const body = page.text.slice(begin);
    pieces.push(new Blob([pieces.length ? body : page.text]));
    rows += records(body);
    seen(rows);
    cursor = page.next;
  } while (cursor);
  return { file: new Blob(pieces, { type: "text/csv" }), rows };
}

async function patient<T>(work: () => Promise<T>, wait: (ms: number) => Promise<void>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      const { status, retryAfter } = error as Partial<Refused>;
      if ((status !== 429 && status !== 503) || tries === 4) throw error;
      await wait(Math.max(retryAfter ?? 0, tries) * 1000);
    }
  }
}

// records counts the records of CSV: line ends that are not within quotes.
function records(text: string): number {
  let count = 0;
  let quoted = false;
  for (const sign of text.match(/["\n]/g) ?? []) {
    if (sign === '"') quoted = !quoted;
    else if (!quoted) count++;
  }
  return count;
}

// recordLink is the address of a registrant in the registry (Odoo serves
// /mail/view for all its versions); undefined if that of the registry is no web address.
export function recordLink(registry: string | undefined, registrant: number): string | undefined {
  if (!isWeb(registry)) return undefined;
  return `${registry.replace(/[?#].*$/s, "").replace(/\/+$/, "")}/mail/view?model=res.partner&res_id=${registrant}`;
}
