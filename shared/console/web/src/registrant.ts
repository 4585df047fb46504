// What became of one registrant, of what the API knows: the sentence that stands
// first, and the events in the order of their times.
import type { Schemas } from "./api.ts";

export type Known = Schemas["Registrant"];
export type Open = NonNullable<Known["open_batches"]>[number];
export type Past = NonNullable<Known["batches"]>[number];
type Rejection = Schemas["Rejection"];

// Whether a connector knows something of a registrant now.
export function knows(of: Known, connector: string): boolean {
  return Boolean(of.rejections?.length || of.open_batches?.some((open) => open.connector === connector));
}

export type State =
  | { state: "on_its_way"; open: Open }
  | { state: "rejected"; rejection: Rejection }
  | { state: "holds_token" } // says the registry
  | { state: "tokenised"; past: Past }
  | { state: "answered"; past: Past } // with others; of it alone nothing is known
  | { state: "nothing" };

// stateOf is what stands first. Who is in an open batch is on its way, whatever was
// before; of several rejections the last attempt counts.
export function stateOf(known: Known, past: Past[], lines: Schemas["Line"][] = []): State {
  const open = latest(known.open_batches ?? [], (one) => one.claimed);
  if (open) return { state: "on_its_way", open };
  const rejection = latest(known.rejections ?? [], (one) => one.last_attempt);
  if (rejection) return { state: "rejected", rejection };
  if (lines.some((line) => line.line === "token" && line.code === "held")) return { state: "holds_token" };
  const batch = latest(past, (one) => one.closed);
  if (batch?.state !== "patched") return { state: "nothing" };
  if (batch.outcome === "tokenised") return { state: "tokenised", past: batch };
  return batch.outcome ? { state: "nothing" } : { state: "answered", past: batch };
}

// signOf changes when something has happened to a registrant.
export function signOf(known: Known): string {
  return JSON.stringify([known.open_batches?.map((one) => one.batch), known.rejections?.map((one) => [one.identifier, one.last_attempt])]);
}

function latest<T>(list: T[], of: (one: T) => string): T | undefined {
  return [...list].sort((a, b) => Date.parse(of(b)) - Date.parse(of(a)))[0];
}

export type Event =
  | { at: string; what: "next" | "rejected" | "tried"; rejection: Rejection }
  | { at: string; what: "sent"; open: Open }
  | { at: string; what: "closed" | "claimed"; past: Past };

// eventsOf are the events, the newest first; what is planned stands above them.
export function eventsOf(known: Known, past: Past[]): Event[] {
  const events: Event[] = [];
  for (const rejection of known.rejections ?? []) {
    if (rejection.next_attempt) events.push({ at: rejection.next_attempt, what: "next", rejection });
    if (rejection.last_attempt !== rejection.since) events.push({ at: rejection.last_attempt, what: "tried", rejection });
    events.push({ at: rejection.since, what: "rejected", rejection });
  }
  for (const open of known.open_batches ?? []) events.push({ at: open.claimed, what: "sent", open });
  for (const one of past) events.push({ at: one.closed, what: "closed", past: one }, { at: one.claimed, what: "claimed", past: one });
  const planned = (event: Event) => (event.what === "next" ? 0 : 1);
  return events.sort((a, b) => planned(a) - planned(b) || Date.parse(b.at) - Date.parse(a.at));
}

// joined adds a further page to what is known: rejections that were not looked at
// before, or batches of the past.
export function joined(before: { known: Known; past: Past[] }, page: Known): { known: Known; past: Past[] } {
  const known: Known = { ...before.known, next: page.next };
  if (page.rejections) {
    known.rejections = [...(before.known.rejections ?? []), ...page.rejections];
    known.complete = page.complete;
  }
  return { known, past: [...before.past, ...(page.batches ?? [])] };
}

// renewed is what a search has found, with what was found before: a search from the
// newest batch on keeps how far an earlier one came.
export function renewed(before: { known: Known; past: Past[] } | undefined, found: { known: Known; past: Past[] }): { known: Known; past: Past[] } {
  const missing = before?.past.filter((one) => !found.past.some((two) => two.batch === one.batch)) ?? [];
  return before && missing.length > 0 ? { known: before.known, past: [...found.past, ...missing] } : found;
}
