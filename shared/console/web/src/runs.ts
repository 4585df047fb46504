// What the console works out of runs, batches and changes.
import type { Schemas } from "./api.ts";
import { western } from "./digits.ts";

type Run = Schemas["Run"];
type Batch = Schemas["Batch"];
type Change = Schemas["Change"];

export interface Figures {
  tokenised: number;
  rejected: number; // by MOSIP or the registry, or unsent for their data
  waiting: number; // for MTS
  left?: number; // to look at
}

export function figuresOf(run: Pick<Run, "totals" | "tally" | "left">): Figures {
  const { tokenised, pending } = run.totals;
  return { tokenised, rejected: rejectedOf(run.totals) + run.tally.invalid, waiting: pending, left: run.left };
}

function rejectedOf(totals: Schemas["Totals"]): number {
  return totals.refused + totals.duplicate + totals.conflict + totals.no_token;
}

// paceOf writes a rate in the smallest unit in which it is at least one.
export function paceOf(perSecond: number): { unit: "second" | "minute" | "hour"; rate: number } {
  if (perSecond >= 1) return { unit: "second", rate: Math.round(perSecond) };
  if (perSecond * 60 >= 1) return { unit: "minute", rate: Math.round(perSecond * 60) };
  return { unit: "hour", rate: Math.max(1, Math.round(perSecond * 3600)) };
}

export interface Step {
  at: number; // ms
  count: number; // tokenised until then
}

// stepsOf are the registrants tokenised so far, batch by batch as they were answered.
export function stepsOf(started: string, batches: Batch[]): Step[] {
  const steps: Step[] = [{ at: Date.parse(started), count: 0 }];
  const closed = batches.filter((batch) => batch.closed && batch.totals.tokenised > 0);
  closed.sort((a, b) => a.closed!.localeCompare(b.closed!));
  for (const batch of closed) {
    const before = steps.at(-1)!;
    steps.push({ at: Math.max(before.at, Date.parse(batch.closed!)), count: before.count + batch.totals.tokenised });
  }
  return steps;
}

// line is the path of steps in a box, up to a time (ms), with its origin at the bottom.
export function line(steps: Step[], until: number, width: number, height: number): string {
  const from = steps[0]!.at;
  const span = Math.max(1, until - from);
  const most = Math.max(1, steps.at(-1)!.count);
  const x = (at: number) => round(((at - from) / span) * width);
  const y = (count: number) => round(height - (count / most) * height);
  const drawn = steps.slice(1).map((step) => `H${x(step.at)}V${y(step.count)}`);
  return `M0 ${height}${drawn.join("")}H${width}`;
}

const round = (n: number) => Math.round(n * 10) / 10;

export type Entry = { at: string; id: string } & ({ run: Run } | { change: Change });

export interface Day {
  day: string;
  entries: Entry[];
}

// timelineOf is one list of runs and changes, the newest first. A change that opened or
// cancelled a run stands beside it.
export function timelineOf(runs: Run[], changes: Change[]): Entry[] {
  const entries: Entry[] = [
    ...runs.map((run) => ({ at: run.started, id: `run ${run.id}`, run })),
    ...changes.map((change) => ({ at: change.at, id: `change ${change.at} ${change.change} ${change.version}`, change })),
  ];
  return entries.sort((a, b) => Date.parse(b.at) - Date.parse(a.at) || (a.id < b.id ? 1 : -1));
}

// byDay groups entries that are in order. dayOf names the day of a time.
export function byDay(entries: Entry[], dayOf: (at: string) => string): Day[] {
  const days: Day[] = [];
  for (const entry of entries) {
    const day = dayOf(entry.at);
    if (days.at(-1)?.day === day) days.at(-1)!.entries.push(entry);
    else days.push({ day, entries: [entry] });
  }
  return days;
}

// until cuts a timeline of two lists where the first of them ends: older entries of the
// other would seem to be all there is.
export function until(entries: Entry[], ends: (string | undefined)[]): Entry[] {
  const bounds = ends.filter((at) => at !== undefined).map((at) => Date.parse(at));
  return bounds.length ? entries.filter((entry) => Date.parse(entry.at) >= Math.max(...bounds)) : entries;
}

// listedIn are the ids of registrants in a text that a person pasted: numbers between
// spaces, commas, semicolons or on lines of their own, each once, also in quotes as
// spreadsheets write them; and what is none.
export function listedIn(text: string): { ids: number[]; wrong: string[] } {
  const pieces = western(text).split(/[\s,;\u060c\u061b]+/).map((piece) => piece.replace(/^["']+|["']+$/g, "")).filter(Boolean);
  const fits = (piece: string) => /^[1-9]\d{0,9}$/.test(piece) && Number(piece) <= 2147483647;
  return {
    ids: [...new Set(pieces.filter(fits).map(Number))],
    wrong: [...new Set(pieces.filter((piece) => !fits(piece)))],
  };
}

// Keys gives a request a key by which the API knows it again when it is repeated: the
// same for the same body, until it had its effect.
export class Keys {
  private last: { body: string; key: string } | undefined;
  private make: () => string;
  constructor(make: () => string) {
    this.make = make;
  }

  of(body: unknown): string {
    const text = JSON.stringify(body);
    if (this.last?.body !== text) this.last = { body: text, key: this.make() };
    return this.last.key;
  }

  done(): void {
    this.last = undefined;
  }
}

// randomKey needs no secure context, as crypto.randomUUID does.
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
