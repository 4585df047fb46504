import type { Schemas } from "../api.ts";
import * as sentences from "../sentences.ts";
import { isLater, moment, relative, t, type Word } from "../words.ts";
import { Sentence } from "./text.tsx";

// Of the list, or of the connector itself: that tells more of its open run.
type Summary = Pick<Schemas["ConnectorSummary"], "status" | "problems" | "served" | "run" | "due"> & {
  figures?: Schemas["Figures"];
  open_run?: Pick<Schemas["OpenRun"], "looked" | "expected"> | Pick<Schemas["Run"], "tally" | "left" | "passes">;
};

export type Health = "problem" | "new" | "running" | "fine" | "completed" | "stopped";

// The order of need, the most urgent first.
export const order: Health[] = ["problem", "new", "running", "fine", "completed", "stopped"];

// healthOf is the state of a connector in one word.
export function healthOf(c: Summary): Health {
  if (Object.keys(c.problems).length > 0) return "problem";
  if (c.status === "stopped") return c.served || c.figures?.last_run ? "stopped" : "new";
  if (c.status === "completed") return "completed";
  return c.run ? "running" : "fine";
}

// problemsOf are its problems, the oldest first: others often follow from it.
export function problemsOf(problems: Schemas["ConnectorSummary"]["problems"]): Schemas["ConnectorProblem"][] {
  return Object.values(problems).sort((a, b) => a.since.localeCompare(b.since));
}

// HealthOf is a word and a clause.
export function HealthOf({ connector }: { connector: Summary }) {
  const health = healthOf(connector);
  return (
    <>
      <Tag kind={health} word={`health.${health}`} />
      <span class="clause">
        <Clause connector={connector} health={health} />
      </span>
    </>
  );
}

function Clause({ connector, health }: { connector: Summary; health: Health }) {
  switch (health) {
    case "problem":
      return <Sentence of={sentences.problem(problemsOf(connector.problems)[0]!).text} />;
    case "running": {
      const { looked, expected } = reached(connector);
      if (!looked && isLater(connector.due)) return <>{t("health.clause.waits", { at: moment(connector.due!) })}</>;
      if (looked === undefined) return <>{t("health.clause.begins")}</>;
      return <>{expected ? t("health.clause.of", { looked, expected }) : t("health.clause.looked", { count: looked })}</>;
    }
    case "fine":
      return <>{connector.served ? t("health.clause.looked_at", { when: relative(connector.served) }) : ""}</>;
    default:
      return null;
  }
}

// reached is how many VIDs the open run has looked at, and of how many, if that is
// known. In later passes the two are not of the same VIDs.
function reached({ open_run: open }: Summary): { looked?: number; expected?: number } {
  if (!open) return {};
  if ("looked" in open) return { looked: open.looked, expected: open.expected && open.expected >= open.looked ? open.expected : undefined };
  const { looked } = open.tally;
  return { looked, expected: open.passes <= 1 && open.left !== undefined ? looked + open.left : undefined };
}

const colours: Record<string, string> = { problem: "failed", new: "look", running: "active", fine: "ok" };

// Tag is a state as a word in a box, whose colour only repeats what the word says.
export function Tag({ kind, word }: { kind: string; word: Word }) {
  return (
    <strong class="tag" data-kind={colours[kind] ?? kind}>
      {t(word)}
    </strong>
  );
}
