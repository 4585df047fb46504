// Lists that are read page by page, by a button below them.
import type { ComponentChildren } from "preact";
import { useEffect, useReducer, useRef } from "preact/hooks";
import { t } from "../words.ts";
import { Button } from "./controls.tsx";
import { say } from "./live.tsx";
import { Fault, Loading } from "./state.tsx";

const first = 50;
const further = 200;

export interface More<T> {
  list: T[];
  next?: string;
  busy: boolean;
  fault?: Error;
  more: () => void;
}

type Read<T> = (cursor: string | undefined, limit: number, signal: AbortSignal) => Promise<{ list: T[]; next?: string }>;

// useMore reads the first page at once and when key changes. A page may be empty though
// others follow: these are read, too.
export function useMore<T>(key: string, read: Read<T>): More<T> {
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const state = useRef<{ key?: string; list: T[]; next?: string; busy: boolean; fault?: Error; stop: AbortController }>(undefined!);
  if (state.current?.key !== key) state.current = { key, list: [], busy: true, stop: new AbortController() };
  const latest = useRef(read);
  latest.current = read;

  const work = async () => {
    const mine = state.current;
    const before = mine.list.length;
    Object.assign(mine, { busy: true, fault: undefined });
    draw(undefined);
    try {
      do {
        const page = await latest.current(mine.next, mine.list.length ? further : first, mine.stop.signal);
        mine.list = [...mine.list, ...page.list];
        mine.next = page.next;
      } while (mine.next && mine.list.length === before);
      if (before) say(t("list.added", { count: mine.list.length - before }));
    } catch (error) {
      if (mine.stop.signal.aborted) return;
      mine.fault = error as Error;
    }
    mine.busy = false;
    draw(undefined);
  };

  useEffect(() => {
    const mine = state.current;
    if (mine.stop.signal.aborted) mine.stop = new AbortController();
    void work();
    return () => mine.stop.abort();
  }, [key]);

  const { list, next, busy, fault } = state.current;
  return { list, next, busy, fault, more: () => state.current.busy || void work() };
}

// Paged shows a list with how much of it is shown. total is how many there are, about;
// empty is what stands where there is none.
export function Paged<T>({ of, total, empty, children }: { of: More<T>; total?: number; empty: ComponentChildren; children: (list: T[]) => ComponentChildren }) {
  const shown = of.list.length;
  return (
    <>
      {shown > 0 && children(of.list)}
      {shown === 0 && !of.busy && !of.fault && empty}
      {of.fault && <Fault of={of.fault} again={of.more} />}
      {of.busy && <Loading />}
      {shown > 0 && <p>{of.next ? (total !== undefined && total >= shown ? t("list.range", { shown, total }) : t("list.begin", { shown })) : t("list.whole", { count: shown })}</p>}
      {of.next && !of.busy && !of.fault && <Button onClick={of.more}>{t("list.more")}</Button>}
    </>
  );
}
