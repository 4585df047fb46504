// Trying rejected registrants again: the question with how many these are, and the
// answer with when they go out.
import { call, type Schemas } from "../api.ts";
import { now } from "../clock.ts";
import { usePolled } from "../polled.ts";
import { type Kind, namesOf, requestsOf, type Retry } from "../rejections.ts";
import * as sentences from "../sentences.ts";
import { exact, t } from "../words.ts";
import { useAction } from "./action.ts";
import { Button, Dialog } from "./controls.tsx";
import { Fault, Loaded } from "./state.tsx";
import { Sentence } from "./text.tsx";

export type Retried = Schemas["Retried"];

interface Asked {
  count: number;
  complete: boolean;
  counted?: string;
  answer: Retried;
}

// asked sends the requests of a retry, one after the other, and adds up what is
// answered.
async function asked(connector: string, what: Retry, dry: boolean): Promise<Asked> {
  const sum: Asked = { count: 0, complete: true, answer: undefined! };
  for (const body of requestsOf(what)) {
    const { data } = await call("retryRejections", { path: { id: connector }, body: dry ? { ...body, dry_run: true } : body });
    sum.count += data.count ?? data.identifiers ?? data.submissions ?? data.registrants ?? 0;
    if (data.complete === false) sum.complete = false;
    if (data.counted) sum.counted = data.counted;
    if (!sum.answer || data.goes_out.code !== "nobody") sum.answer = data;
  }
  return sum;
}

interface Props {
  connector: string;
  what: Retry;
  // Of whom it is, if it is all of one kind.
  kind?: Kind;
  // What else is to be said of whom it is about.
  note?: string;
  close: () => void;
  // It was asked for; text says how many go out, and when.
  done: (text: string) => void;
}

// RetryDialog asks, with the number of those whom the API would send again.
export function RetryDialog({ connector, what, kind, note, close, done }: Props) {
  const act = useAction();
  const dry = usePolled(`retry ${connector} ${JSON.stringify(what)}`, () => asked(connector, what, true));
  const found = dry.data;
  const send = () =>
    act.run(async () => {
      const { count, answer } = await asked(connector, what, false);
      const number = namesOf(what) ? count : (found?.count ?? count);
      const text = [t("retry.answer", { count: number }), sentences.note(answer.goes_out).text];
      close();
      done((answer.goes_out.code === "nobody" ? text.slice(1) : text).join(" "));
    });
  const confirm = found && (found.count > 0 || !found.complete) && (
    <Button kind="main" makes="retryRejections" unless={act.busy ? t("retry.working") : undefined} onClick={send}>{t("retry.button")}</Button>
  );
  return (
    <Dialog title={t("retry.title")} close={close} actions={confirm}>
      <Loaded of={dry}>
        {({ count, complete, counted, answer }) => (
          <>
            {count > 0 || !complete ? <p><strong>{t(complete ? "retry.question" : "retry.question_least", { count })}</strong></p> : answer.goes_out.code !== "nobody" && <p>{t("retry.nobody")}</p>}
            {count > 0 && kind !== "no_token" && kind !== "set_aside" && <p>{t("retry.unchanged")}</p>}
            {note && <p>{note}</p>}
            {(count > 0 || answer.goes_out.code === "nobody") && <p><Sentence of={sentences.note(answer.goes_out)} /></p>}
            {counted && now() - Date.parse(counted) > 60_000 && <p>{t("retry.counted", { at: exact(counted) })}</p>}
          </>
        )}
      </Loaded>
      {act.fault && <Fault of={act.fault} />}
    </Dialog>
  );
}
