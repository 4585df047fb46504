// The calls of the API with a command for each, made of its document.
import { call } from "../api.ts";
import { type Call, callsOf, curlOf, quoted, variablesOf } from "../curl.ts";
import { Button } from "../parts/controls.tsx";
import { Disclosure } from "../parts/disclosure.tsx";
import { say } from "../parts/live.tsx";
import { Page } from "../parts/page.tsx";
import { Loaded } from "../parts/state.tsx";
import { Machine } from "../parts/text.tsx";
import { usePolled } from "../polled.ts";
import { known, t } from "../words.ts";

const base = () => new URL(".", location.href).href.replace(/\/$/, "");

export function API() {
  const polled = usePolled("document", async () => callsOf((await call("readDocument")).data as Record<string, unknown>));
  const address = `${base()}/openapi.json`;
  return (
    <Page title={t("nav.api")}>
      <p>{t("api.text")}</p>
      <p>{t("api.document")} <a href={address}><Machine>{address}</Machine></a></p>
      <Loaded of={polled}>
        {(groups) => (
          <>
            <h2>{t("api.before")}</h2>
            <p>{t("api.before_text")}</p>
            <Command text={[`API=${quoted(base())}`, "TOKEN='…'", ...variablesOf(groups.flatMap((group) => group.calls)).map((name) => `${name}='…'`)].join("\n")} name={t("api.before")} />
            {groups.map(({ tag, text, calls }) => {
              const word = known(`api.tag.${tag}`);
              return (
                <section key={tag}>
                  <h2>{word ? t(word) : <span lang="en" dir="auto">{text}</span>}</h2>
                  {calls.map((one) => <One key={one.id} of={one} />)}
                </section>
              );
            })}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function One({ of }: { of: Call }) {
  return (
    <>
      <h3><Machine>{`${of.method} ${of.path}`}</Machine></h3>
      <p>
        <span lang="en" dir="auto">{of.summary}</span>{" "}
        <span class="hint">{of.role === "" ? t("api.open") : of.role === "any" ? t("api.any") : t("api.role", { role: t(`role.${of.role as "viewer"}`) })}</span>
      </p>
      <Disclosure summary={t("api.command")} name={t("api.command_of", { call: `${of.method} ${of.path}` })}>{() => <Command text={curlOf(of)} name={`${of.method} ${of.path}`} />}</Disclosure>
    </>
  );
}

function Command({ text, name }: { text: string; name: string }) {
  const copy = () => void navigator.clipboard.writeText(text).then(() => say(t("api.copied")), () => say(t("api.not_copied")));
  return (
    <>
      <pre dir="ltr" tabIndex={0} role="region" aria-label={name}>{text}</pre>
      {navigator.clipboard && <p><Button onClick={copy} name={t("api.copy_of", { what: name })}>{t("api.copy")}</Button></p>}
    </>
  );
}
