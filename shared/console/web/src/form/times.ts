// Times on the clocks of a zone, and when a schedule begins its runs: the rules are
// those of shared/seeding/schedule.go.

const formats = new Map<string, Intl.DateTimeFormat>();

// clock is what the clocks of a zone show at a moment (ms), as if it were UTC.
function clock(zone: string, at: number): number {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en", {
      timeZone: zone, calendar: "gregory", numberingSystem: "latn", hourCycle: "h23",
      year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
    });
    formats.set(zone, format);
  }
  const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(part.year!, part.month! - 1, part.day, part.hour, part.minute, part.second);
}

const second = 1_000;
const day = 86_400_000;
const whole = (at: number) => Math.floor(at / second) * second;
const offset = (zone: string, at: number) => clock(zone, whole(at)) - whole(at);

// reached is the first moment (ms) at which the clocks of a zone show a time, or a
// later one. A time that is there twice is the first of both; one that is skipped is
// the moment at which the clocks are put forward.
export function reached(wall: number, zone: string): number {
  let low = wall - day; // no clock is that far from UTC
  let high = wall + day;
  const before = offset(zone, low);
  const after = offset(zone, high);
  if (before === after) return wall - before;
  while (high - low > second) {
    const middle = whole((low + high) / 2);
    if (offset(zone, middle) === before) low = middle;
    else high = middle;
  }
  if (wall - before < high) return wall - before;
  return Math.max(wall - after, high);
}

// local is a moment on the clocks of a zone, as a field for date and time holds it.
export function local(at: string, zone: string): string {
  const ms = Date.parse(at);
  return Number.isNaN(ms) ? "" : new Date(clock(zone, whole(ms))).toISOString().slice(0, 16);
}

// instant is the moment of a date and time on the clocks of a zone, as the API has it.
// What is none, or of a year that is half typed, stays as it is.
export function instant(text: string, zone: string): string {
  if (!/^[12]\d{3}-/.test(text)) return text;
  const wall = Date.parse(`${text}Z`);
  return Number.isNaN(wall) ? text : new Date(reached(wall, zone)).toISOString().replace(".000Z", "Z");
}

export interface Schedule {
  when: "interval" | "daily" | "once";
  interval: number; // minutes
  daily: string; // such as 02:30
  zone: string; // empty is UTC
  starts: string;
  ends: string;
}

// nextRuns are the times (ms) of the first runs of a connector that is started now, at
// most n. A schedule that cannot be read has none.
export function nextRuns(s: Schedule, now: number, n: number): number[] {
  const starts = s.starts ? Date.parse(s.starts) : -Infinity;
  const ends = s.ends ? Date.parse(s.ends) : Infinity;
  if (Number.isNaN(starts) || Number.isNaN(ends)) return [];
  const first = Math.max(now, starts);
  const runs: number[] = [];
  const add = (at: number) => at < ends && runs.push(at);
  if (s.when === "once") add(first);
  else if (s.when === "interval") {
    if (!(s.interval >= 1)) return [];
    for (let at = first; runs.length < n && add(at); at += s.interval * 60_000);
  } else {
    const [, hour, minute] = /^(\d\d):(\d\d)$/.exec(s.daily) ?? [];
    if (!hour) return [];
    const zone = s.zone || "UTC";
    // It may begin at starts itself, but not at the moment at which it is started.
    const after = starts > now ? starts - 1 : now;
    const today = Math.floor(clock(zone, whole(after)) / day) * day;
    for (let wall = today - day; runs.length < n; wall += day) {
      const at = reached(wall + Number(hour) * 3_600_000 + Number(minute) * 60_000, zone);
      if (at <= after || at === runs.at(-1)) continue;
      if (!add(at)) break;
    }
  }
  return runs;
}
