// The form of a connector: a new one, a copy, or one that is stored. All rules about
// what is typed are the API's.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Away, call, Refused, type Schemas } from "../api.ts";
import { connectorPages } from "../connectors.ts";
import { type Group, groups, ofODK, type Pointer, same, type Values, valuesOf } from "../form/configuration.ts";
import { type Difference, differences, merged } from "../form/conflict.ts";
import { Conflict } from "../form/conflict-view.tsx";
import { Chips, DirectChoice, Field, type Fill, FlawOf, SourceChoice, useLead, WhenChoice } from "../form/fields.tsx";
import { Inquiry, To } from "../form/inquiry.tsx";
import { Leaving } from "../form/leaving.tsx";
import { type Connector, Form } from "../form/state.ts";
import { NextRuns } from "../form/times-shown.tsx";
import { useAction } from "../parts/action.ts";
import { ConnectorPage } from "../parts/connector.tsx";
import { Button, lacking } from "../parts/controls.tsx";
import { say, tell } from "../parts/live.tsx";
import { Page } from "../parts/page.tsx";
import { Fault, Loaded } from "../parts/state.tsx";
import { go, guarded, to } from "../place.ts";
import { usePolled } from "../polled.ts";
import { SessionOver } from "../session.ts";
import { chosen } from "../source.ts";
import { t } from "../words.ts";

// New is the form of a connector that is not there yet, or of a copy of another one.
export function New({ from, field }: { from?: string; field?: string }) {
  const why = lacking("createConnector");
  return (
    <Page title={t(from ? "form.title_copy" : "form.title_new")}>
      {why ? <p class="notice" data-kind="look">{why}</p> : from ? <Copy key={from} from={from} field={field} /> : <Filled key="new" field={field} />}
    </Page>
  );
}

function Copy({ from, field }: { from: string; field?: string }) {
  const polled = usePolled(`copy ${from}`, async () => (await call("readConnector", { path: { id: from } })).data);
  return <Loaded of={polled}>{(connector) => <Filled of={connector} copy field={field} />}</Loaded>;
}

// Settings is the form of a connector that is stored.
export function Settings({ id, field }: { id: string; field?: string }) {
  return <ConnectorPage id={id} tab="settings">{(connector, of) => <Filled key={id} of={connector} refresh={of.refresh} field={field} />}</ConnectorPage>;
}

interface FilledProps {
  of?: Connector;
  copy?: boolean;
  field?: string;
  refresh?: () => void;
}

interface Outdated {
  by: string;
  theirs: Connector;
  of: Difference[];
}

// unknown reports whether a change may have taken effect although it failed.
const unknown = (error: unknown) => error instanceof Away || (error instanceof Refused && error.status >= 500);

function Filled({ of, copy = false, field, refresh }: FilledProps) {
  const [form] = useState(() => new Form(of, copy));
  const act = useAction();
  const [outdated, setOutdated] = useState<Outdated | undefined>(undefined);
  // Whether the request before may have taken effect, and connectors that may be its.
  const unsure = useRef(false);
  const [alike, setAlike] = useState<Schemas["ConnectorSummary"][]>([]);
  const stored = form.stored.value;
  const why = lacking(stored ? "replaceConnector" : "createConnector");
  const dirty = form.dirty;
  const odk = ofODK(form.values.value);

  useLayoutEffect(() => {
    chosen.value = odk;
    return () => void (chosen.value = undefined);
  }, [odk]);

  // Nothing is typed: what somebody else saved is shown at once.
  useEffect(() => {
    if (!of || copy || !stored) return;
    if (of.version > stored.version && !form.dirty && !act.busy) {
      form.adopt(of);
      form.revision.value++;
    } else if (of.version === stored.version && of !== stored) form.stored.value = of;
  }, [of]);
  useLead(field && form.fieldOf({ pointer: field }));

  // A refusal for what is typed stands above the form, and takes the focus.
  const summary = useRef<HTMLDivElement>(null);
  const [refusals, setRefusals] = useState(0);
  useEffect(() => {
    if (refusals > 0) summary.current?.focus();
  }, [refusals]);

  const refused = (errors: Schemas["FieldError"][]) => {
    form.hold(errors);
    say(t("form.wrong", { count: form.told().length }));
    setRefusals((n) => n + 1);
  };

  // saving makes a request that changes something, and keeps in mind whether it may have.
  const saving = async <T,>(change: () => Promise<T>): Promise<T | undefined> => {
    setAlike([]);
    if (!form.wanted()) {
      const { data } = await call("validateConfiguration", { body: { connector: form.stored.value?.id, configuration: form.body } });
      form.hold(data.errors, data.warnings);
      return void refused(data.errors);
    }
    try {
      const result = await change();
      unsure.current = false;
      return result;
    } catch (error) {
      if (unknown(error)) unsure.current = true;
      if (!(error instanceof Refused) || error.status !== 422) throw error;
      return void refused(error.problem.errors ?? []);
    }
  };

  const create = (although = false) =>
    act.run(async () => {
      const body = form.body;
      if (unsure.current && !although) {
        const found = await named(String(body.name));
        if (found.length > 0) return setAlike(found);
      }
      const made = await saving(() => call("createConnector", { body: body as Schemas["NewConnector"] }));
      if (!made) return;
      form.saved(made.data);
      guarded(undefined);
      const address = to(["connectors", made.data.id]);
      tell(t("form.saved_new"), address);
      go(address);
    });

  const replace = () =>
    act.run(async () => {
      const now = form.stored.value!;
      const body = form.body;
      try {
        const made = await saving(() => call("replaceConnector", { path: { id: now.id }, headers: { "If-Match": `"${now.version}"` }, body: body as Schemas["ReplacedConnector"] }));
        if (made) saved(made.data);
      } catch (error) {
        if (!(error instanceof Refused) || error.name !== "outdated") throw error;
        await meet(now.id);
      }
    });

  const saved = (made: Connector) => {
    form.saved(made);
    form.warnings.value = made.warnings ?? [];
    setOutdated(undefined);
    tell(t(made.status === "running" ? "form.saved_running" : "form.saved"));
    refresh?.();
  };

  // meet finds out what somebody else saved meanwhile. It may have been this form, by a
  // request whose reply did not come.
  const meet = async (id: string) => {
    const { data: theirs } = await call("readConnector", { path: { id } });
    const found = differences(form.before.value, valuesOf(theirs), form.values.value);
    if (unsure.current && same(withoutSecrets(form.values.value), valuesOf(theirs))) {
      unsure.current = false;
      return saved(theirs);
    }
    setOutdated({ by: await lastChanged(id), theirs, of: found });
  };

  const settle = (taken: Set<string>) => {
    if (!outdated) return;
    const theirs = valuesOf(outdated.theirs);
    form.put(merged(form.before.value, theirs, form.values.value, taken));
    form.before.value = theirs;
    form.stored.value = outdated.theirs;
    setOutdated(undefined);
    replace();
  };

  const open = stored ? Math.max(stored.under_way.own, stored.open_run?.open_batches ?? 0) : 0;
  const fill: Fill = { form, fixed: Boolean(why), locked: open > 0 ? t("form.locked", { count: open }) : undefined };
  const told = form.tried.value ? form.told() : [];
  return (
    <>
      <Leaving dirty={dirty} />
      {why && <p class="notice" data-kind="look">{t("form.read_only")} {why}</p>}
      {!why && stored?.status === "running" && <p class="notice">{t("form.running")}</p>}
      {told.length > 0 && (
        <div class="notice" data-kind="failed" tabIndex={-1} ref={summary} role="group" aria-labelledby="wrong">
          <h2 id="wrong">{t("form.wrong", { count: told.length })}</h2>
          <ul>{told.map((error, at) => <li key={at}><To field={form.fieldOf(error)}><FlawOf form={form} of={error} /></To></li>)}</ul>
        </div>
      )}
      {outdated && <Conflict key={outdated.theirs.version} by={outdated.by} of={outdated.of} save={settle} />}
      <div class="beside">
        <form novalidate onSubmit={(event) => event.preventDefault()}>
          <Groups fill={fill} />
          <div class="save">
            {act.fault && <NotSaved of={act.fault} stored={Boolean(stored)} />}
            {alike.length > 0 && (
              <div class="notice" data-kind="look" role="alert">
                <p>{t("form.alike")}</p>
                <ul>{alike.map((one) => <li key={one.id}><a href={to(["connectors", one.id])}><bdi>{one.name}</bdi></a></li>)}</ul>
                <Button onClick={() => create(true)}>{t("form.another")}</Button>
              </div>
            )}
            <p class="actions">
              <Button kind="main" makes={stored ? "replaceConnector" : "createConnector"} onClick={stored ? replace : () => create()}>{t("form.save")}</Button>
              {act.busy ? <span aria-busy="true">{t("form.saving")}</span> : dirty && <span class="hint">{t("form.unsaved")}</span>}
            </p>
          </div>
        </form>
        <Inquiry fill={fill} />
      </div>
    </>
  );
}

// NotSaved says why nothing was saved, or that this is not known.
function NotSaved({ of, stored }: { of: Error; stored: boolean }) {
  const word = unknown(of) ? (stored ? "form.unknown" : "form.unknown_new") : of instanceof SessionOver ? "form.session_over" : undefined;
  return word ? <p class="notice" data-kind="look" role="alert">{t(word)}</p> : <Fault of={of} />;
}

function withoutSecrets(values: Values): Values {
  const secrets = ["/odk/password", "/registry/password", "/callback/auth_token", "/callback/auth_password", "/callback/auth_client_secret"];
  return { ...values, ...Object.fromEntries(secrets.map((secret) => [secret, ""])), "/callback/extra_headers": undefined };
}

// named are the connectors of a name.
async function named(name: string): Promise<Schemas["ConnectorSummary"][]> {
  return (await connectorPages()).flat().filter((one) => one.name === name);
}

// lastChanged is who changed a connector last; "" if that cannot be told.
async function lastChanged(id: string): Promise<string> {
  try {
    const { data } = await call("listChanges", { path: { id }, query: { limit: 20 } });
    return data.changes.find((one) => one.change === "replace")?.by.name ?? "";
  } catch {
    return "";
  }
}

function Groups({ fill }: { fill: Fill }) {
  const { form } = fill;
  const all = (group: Group) => Object.keys(groups[group]).map((field) => <Field key={field} fill={fill} field={field} />);
  const some = (...fields: Pointer[]) => fields.map((field) => <Field key={field} fill={fill} field={field} />);
  const odk = ofODK(form.values.value);
  const selected = (form.body.fields as string[] | undefined) ?? [];
  const mapping = Object.keys(groups.sent).filter((field) => field.startsWith("/mapping/"));
  const callback = Object.keys(groups.back).filter((field) => field.startsWith("/callback/") && field !== "/callback/timeout_seconds");
  return (
    <>
      <h2>{t("form.source")}</h2>
      {some("/name")}
      <SourceChoice fill={fill} />
      <h2>{t("form.mts")}</h2>
      {all("mts")}
      {odk && <h2>{t("choice.input_type.odk")}</h2>}
      {all("odk")}
      <h2>{t("form.registry")}</h2>
      {all("registry")}
      <h2>{t("form.sent")}</h2>
      {some("/fields")}
      <h3>{t("form.mapping")}</h3>
      <p class="hint">{t("form.mapping_text")}</p>
      {mapping.map((field) => <Field key={field} fill={fill} field={field} />)}
      {!odk && <Chips fill={fill} into={mapping} names={["vid", ...selected]} label={t("form.insert_mapping")} />}
      {some("/domain")}
      {!odk && <Chips fill={fill} into={["/domain"]} names={selected} label={t("form.insert_domain")} />}
      {some("/mandatory_fields")}
      <h2>{t("form.back")}</h2>
      {some("/output_type", "/delivery_type", "/output_format")}
      <Chips fill={fill} into={["/output_format"]} names={[".output.token", ".output.status", ...(odk ? [".input.__id"] : [".input.vid", ".input.id", ...selected.filter((name) => name !== "id").map((name) => `.input.${name}`)])]} label={t("form.insert_output")} />
      <DirectChoice fill={fill} />
      {callback.map((field) => <Field key={field} fill={fill} field={field} />)}
      {some("/callback/timeout_seconds")}
      <h2>{t("form.when")}</h2>
      <WhenChoice fill={fill} />
      {all("when")}
      <NextRuns form={form} />
      <details class="advanced">
        <summary>
          <h2>{t("form.advanced")}</h2>
        </summary>
        {all("advanced")}
      </details>
    </>
  );
}
