// What the console decides of the lines of a check.
import type { Schemas } from "./api.ts";

type Line = Schemas["Line"];

// gathered makes one of lines that follow each other and were not tried for the same
// reason: they tell nothing but that. also is how many more a line stands for.
export function gathered(lines: Line[]): { line: Line; also: number }[] {
  const all: { line: Line; also: number }[] = [];
  for (const line of lines) {
    const last = all.at(-1);
    if (last && line.result === "not_tried" && last.line.result === "not_tried" && last.line.text === line.text && last.line.pointer === line.pointer) last.also++;
    else all.push({ line, also: 0 });
  }
  return all;
}
