// The panel beside the form: whether what is filled in would work, and what would be
// sent. It asks about the draft, or about what is stored where nothing was changed.
import { useEffect, useRef, useState } from "preact/hooks";
import { call, Refused, type Schemas } from "../api.ts";
import { useAction } from "../parts/action.ts";
import { failures, isOver, Lines, summary, useCheck } from "../parts/check.tsx";
import { Button } from "../parts/controls.tsx";
import { Tag } from "../parts/health.tsx";
import { say } from "../parts/live.tsx";
import { Fault, Loaded } from "../parts/state.tsx";
import { Submission } from "../parts/rejection.tsx";
import { Machine, Sentence, Time } from "../parts/text.tsx";
import { hash, parsed, place, to } from "../place.ts";
import { usePolled } from "../polled.ts";
import * as sentences from "../sentences.ts";
import { known, t } from "../words.ts";
import { entry } from "./configuration.ts";
import { choiceOf, type Fill, FlawOf, labelOf, leadTo } from "./fields.tsx";
import type { Form } from "./state.ts";

// What is asked about: what is stored, or a draft.
function about(form: Form) {
  const connector = form.stored.value?.id;
  return connector && !form.dirty ? { connector } : { connector, configuration: form.body };
}

export function Inquiry({ fill }: { fill: Fill }) {
  const { form } = fill;
  const act = useAction();
  const [check, setCheck] = useState<{ id: string; revision: number } | undefined>(undefined);
  const [preview, setPreview] = useState<{ id: string; revision: number } | undefined>(undefined);
  const ask = (work: (asked: ReturnType<typeof about>, revision: number) => Promise<void>) =>
    act.run(async () => {
      form.refused([]);
      try {
        await work(about(form), form.revision.value);
      } catch (error) {
        if (!(error instanceof Refused) || error.status !== 422) throw error;
        form.refused((error.problem.errors ?? []).map((one) => ({ ...one, pointer: (one.pointer ?? "").replace(/^\/configuration/, "") })));
      }
    });
  const now = form.revision.value;
  const wrong = form.blocking.value;
  const draft = form.dirty || !form.stored.value;
  return (
    <aside aria-labelledby="inquiry">
      <h2 id="inquiry">{t("inquiry.title")}</h2>
      <p class="hint">{t(draft ? "inquiry.draft" : "inquiry.stored")}</p>
      <p class="actions">
        <Button makes={draft ? "createConnector" : "askCheck"} onClick={() => ask(async (body, revision) => setCheck({ id: (await call("askCheck", { body })).data.id, revision }))}>{t("inquiry.check")}</Button>
        <Button makes={draft ? "createConnector" : "askPreview"} onClick={() => ask(async (body, revision) => setPreview({ id: (await call("askPreview", { body: { ...body, count: 10 } })).data.id, revision }))}>
          {t("inquiry.preview")}
        </Button>
      </p>
      {act.busy && <p aria-busy="true">{t("inquiry.asking")}</p>}
      {act.fault && <Fault of={act.fault} />}
      {wrong.length > 0 && (
        <div class="notice" data-kind="failed" role="alert">
          <p>{t("inquiry.first")}</p>
          <ul>{wrong.map((one, at) => <li key={at}><To field={form.fieldOf(one)}><FlawOf form={form} of={one} /></To></li>)}</ul>
        </div>
      )}
      {check && (
        <section aria-label={t("inquiry.check")}>
          <h3>{t("inquiry.check")}</h3>
          {check.revision !== now && <p class="hint">{t("inquiry.before")}</p>}
          <CheckOf key={check.id} id={check.id} revision={check.revision} form={form} />
        </section>
      )}
      {preview && (
        <section aria-label={t("inquiry.preview")}>
          <h3>{t("inquiry.preview")}</h3>
          {preview.revision !== now && <p class="hint">{t("inquiry.before")}</p>}
          <PreviewOf key={preview.id} id={preview.id} form={form} />
        </section>
      )}
    </aside>
  );
}

// To is a link to a field of this form.
export function To({ field, children }: { field: string; children: preact.ComponentChildren }) {
  const lead = (event: Event) => {
    event.preventDefault();
    leadTo(field);
  };
  return field ? <a href={hash.value || "#/"} onClick={lead}>{children}</a> : <>{children}</>;
}

function CheckOf({ id, revision, form }: { id: string; revision: number; form: Form }) {
  const polled = useCheck(id);
  const check = polled.data;
  useEffect(() => {
    if (check && isOver(check)) form.checked = { revision, check };
  }, [check?.state]);
  // A line leads to its field, within the form.
  const lead = (event: MouseEvent) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const pointer = link && parsed(link.hash).query.field;
    if (!pointer) return;
    event.preventDefault();
    leadTo(form.fieldOf({ pointer }));
  };
  const { path, query } = place.value;
  return (
    <Loaded of={polled}>
      {(shown) => (
        <div onClick={lead}>
          <Lines of={shown.lines} field={(pointer) => (form.fieldOf({ pointer }) ? to(path, { ...query, field: pointer }) : undefined)} />
          <p>{!isOver(shown) ? t("check.working") : <strong>{summary(shown)}</strong>}</p>
          {isOver(shown) && failures(shown).length > 0 && <p>{t("inquiry.again")}</p>}
        </div>
      )}
    </Loaded>
  );
}

type Preview = Schemas["Preview"];

function PreviewOf({ id, form }: { id: string; form: Form }) {
  // It is delivered once, so it is not read again.
  const delivered = useRef<Preview | undefined>(undefined);
  const polled = usePolled(
    `preview ${id}`,
    async () => {
      if (delivered.current) return delivered.current;
      const { data } = await call("readPreview", { path: { preview: id } });
      if (!["waiting", "working", "answered"].includes(data.state)) {
        delivered.current = data;
        say(data.preview ? t("preview.shown", { count: data.preview.registrants.length }) : t("preview.none"));
      }
      return data;
    },
    delivered.current ? 0 : 1_000,
  );
  return (
    <Loaded of={polled}>
      {(shown) => {
        if (shown.preview) return <Shown of={shown.preview} form={form} />;
        if (shown.state === "failed") return <Lines of={shown.lines} />;
        if (!delivered.current) return <p aria-busy="true">{t("preview.working")}</p>;
        return <p>{t("preview.gone")}</p>;
      }}
    </Loaded>
  );
}

const outcomes: Record<string, string> = { sent: "ok", invalid: "failed", rejected: "failed", in_batch: "active" };

const parts = ["vid", "name", "gender", "dob", "phoneNumber", "emailId", "fullAddress"];

function Shown({ of: p, form }: { of: Schemas["PreviewAnswer"]; form: Form }) {
  const lacks = p.mapping.filter((one) => one.empty + one.unusable + one.too_much_work > 0);
  const body = form.body;
  const wordOf = (outcome: string) => known(`preview.outcome.${outcome}`) ?? "preview.outcome.sent";
  return (
    <>
      <p>{t("preview.once")}</p>
      <ul>
        {Object.entries(p.outcomes).map(([outcome, count]) => <li key={outcome}>{t("preview.count", { what: t(wordOf(outcome)), number: count })}</li>)}
      </ul>
      {p.registrants.length === 0 ? (
        <p>{t("preview.nobody")}</p>
      ) : (
        <table class="cards">
          <caption>{t("preview.caption")}</caption>
          <thead>
            <tr>
              <th scope="col">{t("preview.registrant")}</th>
              <th scope="col">{t("preview.would")}</th>
            </tr>
          </thead>
          <tbody>
            {p.registrants.map((one) => (
              <tr key={one.submission ?? `${one.registrant} ${one.identifier}`}>
                <th scope="row">
                  {one.submission && <Submission id={one.submission} />} {one.received && <Time at={one.received} as="exact" />}
                  {one.registrant && <a href={to(form.stored.value ? ["connectors", form.stored.value.id, "registrants", one.registrant] : ["registrants", one.registrant])}>{one.registrant}</a>}
                </th>
                <td>
                  <Tag kind={outcomes[one.outcome] ?? "none"} word={wordOf(one.outcome)} />
                  {sentences.reasons(one).map((reason, at) => <p key={at}><Sentence of={reason} /></p>)}
                  {one.record && (
                    <dl class="record">
                      {parts.filter((part) => one.record![part]).map((part) => (
                        <div key={part}>
                          <dt>{choiceOf("/mandatory_fields", part)}</dt>
                          <dd><bdi>{one.record![part]}</bdi></dd>
                        </div>
                      ))}
                    </dl>
                  )}
                  {(one.unusable ?? []).map((part) => <p key={part}>{t("preview.unusable", { field: choiceOf("/mandatory_fields", part) })}</p>)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {lacks.length > 0 && (
        <>
          <h4>{t("preview.lacks", { count: p.sampled })}</h4>
          <ul>
            {lacks.map((one) => (
              <li key={one.pointer}>
                <To field={form.fieldOf(one)}>{labelOf(form.fieldOf(one))}</To>{" "}
                {entry(one.pointer, body) && <><Machine>{entry(one.pointer, body)}</Machine>{" "}</>}
                {one.empty > 0 && t("preview.empty", { count: one.empty })} {one.unusable > 0 && t("preview.not_text", { count: one.unusable })}{" "}
                {one.too_much_work > 0 && t("preview.much_work", { count: one.too_much_work })}
              </li>
            ))}
          </ul>
        </>
      )}
      {p.output && (
        <>
          <h4>{t("preview.output")}</h4>
          {p.output.result && <pre dir="ltr" tabIndex={0} aria-label={t("preview.output")}>{p.output.result}</pre>}
          {p.output.wrong && <p class="error"><Sentence of={sentences.reasons({ reasons: [p.output.wrong] })[0]!} /></p>}
        </>
      )}
    </>
  );
}
