// Who is signed in, and what this person may do.
import { computed, signal } from "@preact/signals";
import { afterFirst, call, type Operation, type Schemas } from "./api.ts";
import { operations } from "./generated/operations.ts";

export const person = signal<Schemas["Me"] | undefined>(undefined);

export async function meet(): Promise<void> {
  await afterFirst();
  person.value = (await call("readMe")).data;
}

const may = computed(() => new Set(person.value?.may ?? []));

// allowed reports whether the person may make a call. The API decides; this is for
// what is shown.
export function allowed(operation: Operation): boolean {
  return may.value.has(operation);
}

// needed is the role that a call needs.
export function needed(operation: Operation): "viewer" | "operator" | "administrator" {
  const { role } = operations[operation];
  return role === "any" ? "viewer" : role;
}

// highest is the highest role of the person.
export const highest = computed(() => person.value?.roles.at(-1));
