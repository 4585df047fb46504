// Where the people of a page come from. On one about a connector of ODK, words.ts has
// words about submissions.
import { computed, signal } from "@preact/signals";
import { place } from "./place.ts";

// The connectors of ODK among those that were read.
const read = signal<ReadonlySet<string>>(new Set());

// What is chosen in the form that is open; undefined: there is none.
export const chosen = signal<boolean | undefined>(undefined);

// met is told of each connector that a page is about.
export function met({ id, input_type }: { id: string; input_type: string }): void {
  const odk = input_type === "odk";
  if (read.value.has(id) === odk) return;
  const after = new Set(read.value);
  if (!after.delete(id)) after.add(id);
  read.value = after;
}

export const ofODK = computed(() => {
  const [page, id = ""] = place.value.path;
  return chosen.value ?? (page === "connectors" && read.value.has(id));
});
