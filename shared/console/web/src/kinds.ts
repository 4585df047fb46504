// The kinds of sentences that the API says, and which of them a reply has.

export type Kind = "problems" | "rejections" | "lines" | "failures" | "refusals" | "odk";

const kindOf: Record<string, Kind> = {
  problems: "problems",
  reasons: "rejections",
  note: "rejections",
  wrong: "rejections",
  errors: "refusals",
  warnings: "refusals",
  odk: "odk", // of a connector, and a problem of one
};

interface Line {
  line?: unknown;
  result?: unknown;
  params?: { codes?: unknown };
}

// kindsIn goes by the names that members have in the document of the API. An empty one
// says nothing.
export function kindsIn(reply: unknown, found = new Set<Kind>()): Set<Kind> {
  if (typeof reply !== "object" || reply === null) return found;
  for (const [name, value] of Object.entries(reply)) {
    if (typeof value !== "object" || value === null) continue;
    const kind = kindOf[name];
    if (kind && Object.keys(value).length > 0) found.add(kind);
    kindsIn(value, found);
  }
  const { line, result, params } = reply as Line;
  if (!line || !result) return found;
  found.add(result === "ok" ? "lines" : "failures");
  // A line about a call that failed has the code of its problem, and one about data
  // those of rejections.
  if (result === "failure" || result === "warning") found.add("problems");
  if (params?.codes) found.add("rejections");
  return found;
}
