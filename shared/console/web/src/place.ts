// The address within the page, behind #. It holds what is shown and how it is
// filtered, and never reaches a server.
import { computed, signal } from "@preact/signals";

export const hash = signal(globalThis.location?.hash ?? "");
globalThis.addEventListener?.("hashchange", () => (hash.value = location.hash));

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

export function go(address: string, replace = false): void {
  if (replace) {
    history.replaceState(null, "", address);
    hash.value = location.hash;
  } else location.hash = address;
}
