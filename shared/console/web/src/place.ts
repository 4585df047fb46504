// The address within the page, behind #. It holds what is shown and how it is
// filtered, and never reaches a server.
import { computed, signal } from "@preact/signals";

export const hash = signal(globalThis.location?.hash ?? "");
globalThis.addEventListener?.("hashchange", moved);

const pathOf = (address: string) => address.split("?")[0];

// guard is asked before another page is shown, with what goes there.
let guard: ((leave: () => void) => void) | undefined;

export function guarded(ask: typeof guard): void {
  guard = ask;
}

// leaving does what takes the page away, after it was asked about.
export function leaving(leave: () => void): void {
  if (!guard) return leave();
  guard(() => {
    guard = undefined;
    leave();
  });
}

// Where the entry that is shown stands in the history of the page. An entry without a
// number is new.
let position: number = globalThis.history?.state?.at ?? 0;
globalThis.history?.replaceState({ at: position }, "");

function moved(): void {
  const wanted = location.hash;
  if (wanted === hash.value) return; // it came back
  const at: number | undefined = history.state?.at;
  const steps = at === undefined ? 1 : at - position;
  if (guard && pathOf(wanted) !== pathOf(hash.value)) {
    history.go(-steps);
    guard(() => {
      guard = undefined;
      if (at === undefined) location.hash = wanted;
      else history.go(steps);
    });
    return;
  }
  if (at === undefined) history.replaceState({ at: position + 1 }, "");
  position += steps;
  hash.value = wanted;
}

export interface Place {
  path: string[];
  query: Record<string, string>;
}

export function parsed(text: string): Place {
  const [, path = "", query = ""] = /^#?\/?([^?]*)\??(.*)$/s.exec(text)!;
  const decoded = (piece: string) => {
    try {
      return decodeURIComponent(piece);
    } catch {
      return piece;
    }
  };
  return { path: path.split("/").filter(Boolean).map(decoded), query: Object.fromEntries(new URLSearchParams(query)) };
}

export const place = computed(() => parsed(hash.value));

// to is the address of a page.
export function to(path: (string | number)[], query: Record<string, string | undefined> = {}): string {
  const filled = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const text = new URLSearchParams(filled).toString();
  return `#/${path.map((piece) => encodeURIComponent(piece)).join("/")}${text && "?" + text}`;
}

// isWeb reports whether an address is of the web. Another one, such as javascript:, is
// nothing that a link may lead to.
export function isWeb(address: string | undefined): address is string {
  return address !== undefined && /^https?:\/\//i.test(address);
}

export function go(address: string, replace = false): void {
  if (replace) {
    history.replaceState({ at: position }, "", address);
    hash.value = location.hash;
  } else location.hash = address;
}
