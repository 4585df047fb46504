import type { Said } from "../sentences.ts";
import { exact, moment, number, relative } from "../words.ts";

// Sentence is a sentence of the API. English on a page of another language is said to
// be English, so that it is read and set as such.
export function Sentence({ of }: { of: Said }) {
  return of.foreign ? (
    <span lang="en" dir="auto">
      {of.text}
    </span>
  ) : (
    <>{of.text}</>
  );
}

// Machine is what machines say: ids, codes, addresses. It is never mirrored.
export function Machine({ children }: { children: string | number }) {
  return (
    <bdi dir="ltr" class="machine" translate={false}>
      {String(children)}
    </bdi>
  );
}

// Count is a number as the language writes it.
export function Count({ of }: { of: number }) {
  return <>{number(of)}</>;
}

// Time is a time in the zone of the page: as long ago, with the exact one beside it
// for who points at it or reads the element; or exact; or the time of day alone.
export function Time({ at, as = "moment" }: { at: string; as?: "relative" | "moment" | "exact" | "time" }) {
  const ways = { relative: () => relative(at), moment: () => moment(at), exact: () => exact(at), time: () => exact(at, { timeStyle: "short" }) };
  const shown = ways[as]();
  return (
    <time dateTime={at} title={exact(at)}>
      {shown}
    </time>
  );
}
