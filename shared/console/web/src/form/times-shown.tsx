import { Time } from "../parts/text.tsx";
import { now } from "../clock.ts";
import { t, zone } from "../words.ts";
import { type Values, when } from "./configuration.ts";
import type { Form } from "./state.ts";
import { nextRuns, type Schedule } from "./times.ts";

function scheduleOf(values: Values): Schedule {
  const text = (pointer: string) => String(values[pointer] ?? "");
  return {
    when: values[when] as Schedule["when"],
    interval: Number(text("/interval_minutes")),
    daily: text("/daily_at"),
    zone: text("/time_zone"),
    starts: text("/starts"),
    ends: text("/ends"),
  };
}

const shown = 3;

// NextRuns are the next times at which runs begin: as the API says of what is stored,
// else as if the connector were started now.
export function NextRuns({ form }: { form: Form }) {
  const schedule = scheduleOf(form.values.value);
  const stored = form.stored.value;
  const unchanged = stored?.status === "running" && JSON.stringify(schedule) === JSON.stringify(scheduleOf(form.before.value));
  const times = unchanged ? (stored.next_runs ?? []) : nextRuns(schedule, now(), shown).map((at) => new Date(at).toISOString());
  return (
    <div class="field">
      <p class="label">{t(unchanged ? "form.next_runs" : "form.next_if_started")}</p>
      {times.length === 0 ? (
        <p>{t("form.next_none")}</p>
      ) : (
        <ul>
          {times.map((at) => (
            <li key={at}><Time at={at} as="exact" /></li>
          ))}
        </ul>
      )}
      <p class="hint">{t("frame.zone", { zone: zone.value })}</p>
    </div>
  );
}
