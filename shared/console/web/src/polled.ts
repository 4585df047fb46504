// What is shown and read again and again, while the page can be seen.
import { useEffect, useReducer, useRef } from "preact/hooks";
import { signal } from "@preact/signals";
import { Refused } from "./api.ts";
import { now } from "./clock.ts";
import { session, SessionOver } from "./session.ts";

// Whether reading again is paused by the person.
export const paused = signal(false);

export interface Polled<T> {
  data?: T;
  // Why the last reading failed; the data are then those of asOf.
  fault?: Error;
  asOf?: Date;
  refresh: () => void;
}

const longest = 60_000; // ms

// usePolled reads at once, when key changes, and every so often (ms; 0: not again), which
// may depend on what was read. After a fault it waits twice as long each time. read may
// return the same data again.
export function usePolled<T>(key: string, read: (signal: AbortSignal) => Promise<T>, every: number | ((data?: T) => number) = 0): Polled<T> {
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const state = useRef<{ key?: string; data?: T; fault?: Error; asOf?: Date; again?: () => void }>({});
  const latest = useRef(read);
  latest.current = read;
  const period = useRef(every);
  period.current = every;
  if (state.current.key !== key) state.current = { key };

  useEffect(() => {
    const mine = state.current;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let failures = 0;
    let busy = false;
    let missed = false; // it was due while the page could not be seen

    const wait = () => (typeof period.current === "function" ? period.current(mine.data) : period.current);
    const plan = (after: number) => {
      clearTimeout(timer);
      if (after > 0) timer = setTimeout(due, after);
    };
    const due = () => {
      if (document.hidden || paused.value) missed = true;
      else void work();
    };
    const work = async () => {
      if (busy) return;
      busy = true;
      missed = false;
      try {
        const data = await latest.current(stop.signal);
        if (stop.signal.aborted) return;
        const changed = data !== mine.data || mine.fault;
        Object.assign(mine, { data, fault: undefined, asOf: new Date(now()) });
        failures = 0;
        if (changed) draw(undefined);
        plan(wait());
      } catch (error) {
        if (stop.signal.aborted) return;
        failures++;
        mine.fault = error as Error;
        draw(undefined);
        const asked = error instanceof Refused ? error.retryAfter * 1000 : 0;
        const hopeless = error instanceof SessionOver || (error instanceof Refused && error.status < 500 && error.status !== 429);
        plan(hopeless ? 0 : Math.max(asked, Math.min(longest, Math.max(wait(), 2_000) * 2 ** failures)));
      } finally {
        busy = false;
      }
    };
    mine.again = () => void work();
    const seenAgain = () => {
      if (!document.hidden && missed && !paused.value) void work();
    };
    document.addEventListener("visibilitychange", seenAgain);
    const unpause = paused.subscribe(() => seenAgain());
    const signedIn = session.subscribe((now) => {
      if (now.kind === "active" && mine.fault instanceof SessionOver) void work();
    });
    void work();
    return () => {
      stop.abort();
      clearTimeout(timer);
      unpause();
      signedIn();
      document.removeEventListener("visibilitychange", seenAgain);
    };
  }, [key]);

  const { data, fault, asOf } = state.current;
  return { data, fault, asOf, refresh: () => state.current.again?.() };
}
