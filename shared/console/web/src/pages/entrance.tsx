// What stands where nobody is signed in: the way in, why it failed, or how it is set up.
import { useEffect, useState } from "preact/hooks";
import { Button } from "../parts/controls.tsx";
import { Page } from "../parts/page.tsx";
import { Loading } from "../parts/state.tsx";
import { Machine } from "../parts/text.tsx";
import { place } from "../place.ts";
import { ready } from "../sentences.ts";
import { session, signInAddress } from "../session.ts";
import { known, t } from "../words.ts";

export function Entrance() {
  const now = session.value;
  const { path, query } = place.value;
  const failed = now.kind === "not_set_up" || (path[0] === "sign-in" && query.reason);
  const [told, tell] = useState(false);
  useEffect(() => {
    if (failed) void ready({ errors: [failed] }).then(() => tell(true));
  }, [failed]);
  if (failed && !told) return <Page title={t("app.name")}><Loading /></Page>;
  if (now.kind === "not_set_up") return <SetUp {...now} />;
  if (now.kind === "away") {
    return (
      <Page title={t("app.name")}>
        <p role="alert">{t("session.away")}</p>
        <Button kind="main" onClick={() => location.reload()}>{t("action.again")}</Button>
      </Page>
    );
  }
  const reason = path[0] === "sign-in" && query.reason ? (known(`sign_in.${query.reason}`) ?? "sign_in.refused") : undefined;
  return (
    <Page title={path[0] === "signed-out" || now.kind === "signed_out" ? t("session.signed_out") : t("action.sign_in")}>
      {reason && <p class="notice" data-kind="failed" role="alert">{t(reason)}</p>}
      <p>
        <a class="button" data-kind="main" href={signInAddress("#/")}>{t("action.sign_in")}</a>
      </p>
    </Page>
  );
}

// SetUp is for who deploys: what has to be told to the issuer.
function SetUp({ redirect, signedOut, issuer }: { redirect: string; signedOut: string; issuer: string }) {
  return (
    <Page title={t("set_up.title")}>
      <p>{t("set_up.text")}</p>
      <ol>
        <li>{t("set_up.client")} <Machine>{issuer}</Machine></li>
        <li>{t("set_up.redirect")} <Machine>{redirect}</Machine></li>
        <li>{t("set_up.signed_out")} <Machine>{signedOut}</Machine></li>
        <li>{t("set_up.audience")}</li>
        <li>{t("set_up.deploy")} <Machine>ConsoleClientSecret</Machine></li>
      </ol>
    </Page>
  );
}
