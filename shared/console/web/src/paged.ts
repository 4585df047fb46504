// Lists that come in pages and grow at their beginning, such as runs.
import { useRef, useState } from "preact/hooks";
import { usePolled } from "./polled.ts";

export interface Page<T> {
  entries: T[];
  next?: string;
}

export interface Paged<T> {
  // What is shown, in the order in which it was first shown.
  data?: T[];
  fault?: Error;
  asOf?: Date;
  // refresh reads the first page now, and shows what is new in it.
  refresh: () => void;
  // How many came since, and what shows them too.
  fresh: number;
  show: () => void;
  // more reads the next page; undefined at the end.
  more?: () => Promise<void>;
}

// usePaged reads the first page again and again (every ms). Entries that are new do not
// move what is shown; those that are shown are kept up to date.
export function usePaged<T>(key: string, read: (cursor?: string) => Promise<Page<T>>, idOf: (entry: T) => string, every: number | ((page?: Page<T>) => number)): Paged<T> {
  const polled = usePolled(key, () => read(), every);
  const [, draw] = useState(0);
  const kept = useRef({ key: "", ids: [] as string[], by: new Map<string, T>(), next: undefined as string | undefined, begun: false, adopt: false });
  if (kept.current.key !== key) kept.current = { key, ids: [], by: new Map(), next: undefined, begun: false, adopt: false };
  const state = kept.current;
  const page = polled.data;
  for (const entry of page?.entries ?? []) state.by.set(idOf(entry), entry);
  if (page && !state.begun) Object.assign(state, { ids: page.entries.map(idOf), next: page.next, begun: true });
  let unseen = (page?.entries ?? []).map(idOf).filter((id) => !state.ids.includes(id));
  if (state.adopt && unseen.length > 0) {
    state.ids = [...unseen, ...state.ids];
    state.adopt = false;
    unseen = [];
  }
  const more = async () => {
    const { entries, next } = await read(state.next);
    for (const entry of entries) state.by.set(idOf(entry), entry);
    state.ids = [...new Set([...state.ids, ...entries.map(idOf)])];
    state.next = next;
    draw((n) => n + 1);
  };
  const show = () => {
    state.ids = [...unseen, ...state.ids];
    draw((n) => n + 1);
  };
  const refresh = () => {
    state.adopt = true;
    polled.refresh();
  };
  return {
    ...polled,
    refresh,
    data: page && state.ids.map((id) => state.by.get(id)!),
    fresh: unseen.length,
    show,
    more: state.next ? more : undefined,
  };
}
