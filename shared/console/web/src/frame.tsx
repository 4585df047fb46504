// The frame of all pages: the bar, who is signed in, and what is shown below.
import type { ComponentChildren, TargetedEvent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { western } from "./digits.ts";
import { useAction } from "./parts/action.ts";
import { Button, Select } from "./parts/controls.tsx";
import { LiveRegion } from "./parts/live.tsx";
import { Page } from "./parts/page.tsx";
import { meant, Shortcuts } from "./parts/shortcuts.tsx";
import { Loading } from "./parts/state.tsx";
import { meet, person } from "./person.ts";
import { go, isWeb, leaving, place, to } from "./place.ts";
import { usePolled } from "./polled.ts";
import { routes } from "./routes.tsx";
import { label, session, signInAddress, signOut, token } from "./session.ts";
import { chosenLanguage, chosenZone, isZone, theme } from "./settings.ts";
import { Entrance } from "./pages/entrance.tsx";
import { languages, t, zone } from "./words.ts";

export function Frame() {
  const open = ["sign-in", "signed-out"].includes(place.value.path[0] ?? "");
  useEffect(() => {
    if (open) return;
    token().catch(() => undefined); // the session says what is wrong
  }, [open]);
  const state = session.value.kind;
  if (open || state === "signed_out") return <Bare><Entrance /></Bare>;
  if (state === "starting") return <Bare><Page title={t("app.name")}><Loading /></Page></Bare>;
  // Nothing is shown yet that could be kept.
  if (state === "none" || (state === "over" && !person.value)) {
    location.replace(signInAddress(location.hash || "#/"));
    return <Bare><Page title={t("app.name")}><Loading /></Page></Bare>;
  }
  if (state === "not_set_up" || state === "away") return <Bare><Entrance /></Bare>;
  if (place.value.path[0] === "signed-in") return <Bare><SignedIn /></Bare>;
  return (
    <>
      <Skip />
      <Bar />
      {state === "over" && <Over />}
      {state === "other" && <Other />}
      <Shown />
      <Foot />
      <LiveRegion />
    </>
  );
}

function Skip() {
  const skip = (event: TargetedEvent<HTMLAnchorElement>) => {
    event.preventDefault();
    document.querySelector<HTMLElement>("main h1")?.focus();
  };
  return (
    <a class="skip" href="#main" onClick={skip}>
      {t("frame.skip")}
    </a>
  );
}

function Bare({ children }: { children: ComponentChildren }) {
  return (
    <>
      <header class="frame">
        <p class="deployment">
          {t("app.name")} {label.value && <strong class="tag" data-kind="look">{label.value}</strong>}
        </p>
        <Choices />
      </header>
      {children}
    </>
  );
}

function Shown() {
  const { path, query } = place.value;
  for (const { pattern, page } of routes) {
    const found = matched(pattern, path);
    if (found) return page(found, query);
  }
  return (
    <Page title={t("lost.title")}>
      <p>{t("lost.text")}</p>
      <p>
        <a href={to([])}>{t("nav.connectors")}</a>
      </p>
    </Page>
  );
}

// matched returns the named parts of a path, if the pattern is that of it.
export function matched(pattern: string, path: string[]): Record<string, string> | undefined {
  const pieces = pattern.split("/").filter(Boolean);
  if (pieces.length !== path.length) return undefined;
  const found: Record<string, string> = {};
  for (const [at, piece] of pieces.entries()) {
    if (piece.startsWith(":")) found[piece.slice(1)] = path[at]!;
    else if (piece !== path[at]) return undefined;
  }
  return found;
}

function Bar() {
  const met = usePolled("me", meet);
  const out = useAction();
  const { path } = place.value;
  const here = (of: string[]) => (of.includes(path[0] ?? "connectors") ? "page" : undefined);
  return (
    <header class="frame">
      <p class="deployment">
        <a href={to([])}>{person.value?.deployment.stack ?? t("app.name")}</a>
        {label.value && <strong class="tag" data-kind="look">{label.value}</strong>}
      </p>
      <nav aria-label={t("nav.main")}>
        <a href={to([])} aria-current={here(["connectors"])}>{t("nav.connectors")}</a>
        <a href={to(["api"])} aria-current={here(["api"])}>{t("nav.api")}</a>
      </nav>
      <Search />
      <Choices />
      <p class="person" aria-busy={!person.value && !met.fault}>
        {person.value && session.value.kind !== "other" && (
          <>
            <bdi>{person.value.name}</bdi>{" "}
            <span class="role">{person.value.roles.length ? t(`role.${person.value.roles.at(-1)!}`) : t("role.nothing")}</span>{" "}
          </>
        )}
        <Button kind="plain" onClick={() => leaving(() => out.run(signOut))}>{t("action.sign_out")}</Button>{" "}
        {out.fault && <span class="error" role="alert">{t("session.stays")}</span>}
      </p>
    </header>
  );
}

// Search goes to what became of a registrant. The key / leads into it.
function Search() {
  const field = useRef<HTMLInputElement>(null);
  const [wrong, setWrong] = useState(false);
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (!meant(event, "/")) return;
      event.preventDefault();
      field.current?.focus();
      field.current?.select();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
  const submit = (event: Event) => {
    event.preventDefault();
    const text = western(field.current?.value ?? "");
    const fits = /^[1-9]\d{0,9}$/.test(text) && Number(text) <= 2147483647;
    setWrong(!fits);
    if (fits) go(to(["registrants", text]));
  };
  return (
    <form role="search" onSubmit={submit}>
      <label for="search" class="for-readers">{t("search.label")}</label>
      <input id="search" ref={field} type="search" inputMode="numeric" autocomplete="off" placeholder={t("search.label")} aria-invalid={wrong} aria-describedby={wrong ? "search-wrong" : undefined} />
      {wrong && <span id="search-wrong" class="error" role="alert">{t("search.wrong")}</span>}
    </form>
  );
}

function Choices() {
  return (
    <details class="choices">
      <summary>{t("settings.title")}</summary>
      <div>
        <Select label={t("settings.language")} value={chosenLanguage.value} onChange={(value) => (chosenLanguage.value = value)}
          options={[["", t("settings.of_browser")], ...Object.entries(languages)]} />
        <Select label={t("settings.theme")} value={theme.value} onChange={(value) => (theme.value = value as typeof theme.value)}
          options={[["system", t("settings.of_browser")], ["light", t("settings.light")], ["dark", t("settings.dark")]]} />
        <Select label={t("settings.zone")} value={chosenZone.value} onChange={(value) => (chosenZone.value = isZone(value) ? value : "")}
          options={[["", t("settings.of_browser")], ["UTC", "UTC"], ...Intl.supportedValuesOf("timeZone").map((name): [string, string] => [name, name])]} />
      </div>
    </details>
  );
}

// Over says that the session is over, and leaves the page as it is.
function Over() {
  return (
    <div class="notice over" data-kind="look" role="alert">
      <p>{t("session.over")}</p>
      <p>
        <a class="button" href={signInAddress("#/signed-in")} target="_blank" rel="opener">{t("action.sign_in")}</a>
      </p>
    </div>
  );
}

// Other says that the session is somebody else's, and leaves the page as it is. Nothing
// more is read or saved in it, so that nobody does so in another one's name.
function Other() {
  return (
    <div class="notice over" data-kind="look" role="alert">
      <p>{t("session.other")}</p>
      <p><Button kind="main" onClick={() => location.reload()}>{t("session.load_again")}</Button></p>
    </div>
  );
}

function SignedIn() {
  return (
    <Page title={t("session.signed_in")}>
      <p>{t("session.close_tab")}</p>
      <p><a href={to([])}>{t("nav.connectors")}</a></p>
    </Page>
  );
}

function Foot() {
  const links = person.value?.links;
  return (
    <footer class="frame">
      <p>{t("frame.zone", { zone: zone.value })}</p>
      <p><Shortcuts /></p>
      {isWeb(links?.dashboard) && <p><a href={links.dashboard}>{t("frame.dashboard")}</a></p>}
      {isWeb(links?.runbook) && <p><a href={links.runbook}>{t("frame.runbook")}</a></p>}
    </footer>
  );
}
