// What happens to a form whose connector was changed meanwhile.
import { direct, kinds, pointers, type Value, type Values, visible, when } from "./configuration.ts";

// Difference is a field that somebody else changed.
export interface Difference {
  field: string;
  before: Value;
  theirs: Value;
  mine: Value;
  // Whether this person changed it too, to something else.
  contested: boolean;
}

const all = [...pointers.filter((pointer) => kinds[pointer] !== "secret" && kinds[pointer] !== "headers"), when, direct];

const differ = (a: Value, b: Value) => JSON.stringify(a) !== JSON.stringify(b);

// differences are the fields that somebody else changed and that are not the same
// here by chance. Secrets are never shown, so they are not among them.
export function differences(before: Values, theirs: Values, mine: Values): Difference[] {
  return all
    .filter((field) => differ(before[field], theirs[field]) && differ(theirs[field], mine[field]))
    .filter((field) => visible(field, theirs) || visible(field, mine))
    .map((field) => ({ field, before: before[field], theirs: theirs[field], mine: mine[field], contested: differ(before[field], mine[field]) }));
}

// merged is what is typed, with theirs where it was taken, and wherever this person was
// not asked and changed nothing.
export function merged(before: Values, theirs: Values, mine: Values, taken: ReadonlySet<string>): Values {
  const asked = new Set(differences(before, theirs, mine).map((one) => one.field));
  const result = { ...mine };
  for (const field of all) {
    if (asked.has(field) ? taken.has(field) : !differ(before[field], mine[field])) result[field] = theirs[field];
  }
  return result;
}
