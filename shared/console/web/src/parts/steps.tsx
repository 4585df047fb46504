// The way to the first tokens: three steps, each with its state.
import type { ComponentChildren } from "preact";
import { to } from "../place.ts";
import { t } from "../words.ts";
import { failures, lastCheck } from "./check.tsx";
import type { Connector } from "./connector.tsx";
import { lacking, LinkButton } from "./controls.tsx";
import { Tag } from "./health.tsx";

type State = "done" | "now" | "look" | "later";

const kinds = { done: "ok", now: "active", look: "failed", later: "none" };

// Steps shows them before there is a connector, and for one that was never started.
export function Steps({ connector }: { connector?: Connector }) {
  const check = connector && lastCheck(connector.id);
  const checked: State = !connector ? "later" : !check ? "now" : failures(check).length > 0 ? "look" : "done";
  return (
    <>
      <p>{t(connector ? "first.text_new" : "first.text")}</p>
      <ol class="steps">
        <Step state={connector ? "done" : "now"} title={connector ? t("first.configure") : <LinkButton main href={to(["new"])} unless={lacking("createConnector")}>{t("first.configure")}</LinkButton>}>
          {t("first.configure_text")}
        </Step>
        <Step state={checked} title={t("first.check")}>{t("first.check_text")}</Step>
        <Step state={checked === "done" ? "now" : "later"} title={t("first.start")}>{t("first.start_text")}</Step>
      </ol>
    </>
  );
}

function Step({ state, title, children }: { state: State; title: ComponentChildren; children: string }) {
  return (
    <li>
      <strong>{title}</strong> <Tag kind={kinds[state]} word={`first.state.${state}`} />
      <p>{children}</p>
    </li>
  );
}
