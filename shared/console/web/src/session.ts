// The session: the back end holds what can renew it, and the page an access token of a
// few minutes, in memory only.
import { signal } from "@preact/signals";
import { heard, now } from "./clock.ts";
import { language } from "./words.ts";

export type Session =
  | { kind: "starting" }
  | { kind: "active"; token: string; expires: number }
  // It was active and is over. What is typed into the page stays.
  | { kind: "over" }
  // The session of this browser is somebody else's now. What is typed stays, too.
  | { kind: "other" }
  | { kind: "signed_out" }
  | { kind: "none" }
  | { kind: "not_set_up"; redirect: string; signedOut: string; issuer: string }
  | { kind: "away" };

export const session = signal<Session>({ kind: "starting" });

// What the deployment is called, such as TEST.
export const label = signal("");

export class SessionOver extends Error {}

// What is left of a token when it is renewed, in ms. A page that was just loaded waits:
// the one before it may be renewing, and its reply brings a token to this one, too.
const margin = () => (performance.now() < 10_000 ? 5_000 : 30_000);

// When the token ended that the page had last.
let last: number | undefined;
// Whose page this is, as the issuer calls the person.
let holder: string | undefined;

// Two tabs must not renew at the same time: where the issuer rotates refresh tokens, the
// second use of one ends the session. Nor may one renew what another one signs out of.
function alone<T>(work: () => Promise<T>): Promise<T> {
  return navigator.locks ? (navigator.locks.request("session", work) as Promise<T>) : work();
}

// token returns an access token that is valid, a fresh one after it was refused.
export async function token(refused?: string): Promise<string> {
  const valid = () => {
    const state = session.value;
    return state.kind === "active" && state.token !== refused && state.expires - now() > margin() ? state.token : undefined;
  };
  return valid() ?? alone(async () => valid() ?? renewed());
}

async function asked(): Promise<{ reply: Response; body: any }> {
  if (session.value.kind === "signed_out") throw new SessionOver();
  const query = last === undefined ? "" : `?${new URLSearchParams({ after: new Date(last).toISOString() })}`;
  // A page that is left meanwhile must not lose the cookie of the reply: the refresh
  // token in the one before may count no more.
  const reply = await fetch(`console/session/token${query}`, { method: "POST", headers: { "X-Console": "1" }, cache: "no-store", keepalive: true });
  heard(reply);
  return { reply, body: await reply.json().catch(() => ({})) };
}

async function renewed(): Promise<string> {
  let { reply, body } = await asked().catch((error) => {
    if (session.value.kind === "starting") session.value = { kind: "away" };
    throw error;
  });
  if (body.code === "session_ended") {
    // The page before this one, or one without locks, may have renewed it just now.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    ({ reply, body } = await asked());
  }
  if (typeof body.label === "string") label.value = body.label;
  if (session.value.kind === "signed_out") throw new SessionOver();
  if (reply.ok) {
    if (holder !== undefined && body.person && body.person !== holder) {
      session.value = { kind: "other" };
      throw new SessionOver();
    }
    if (holder === undefined && body.person) channel?.postMessage({ signedIn: (holder = body.person) });
    last = Date.parse(body.expires);
    session.value = { kind: "active", token: body.token, expires: last };
    return body.token;
  }
  if (reply.status === 401) {
    session.value = session.value.kind === "starting" ? { kind: "none" } : { kind: "over" };
    throw new SessionOver();
  }
  if (body.code === "not_set_up") session.value = { kind: "not_set_up", redirect: body.redirect, signedOut: body.signed_out, issuer: body.issuer };
  else if (session.value.kind === "starting") session.value = { kind: "away" };
  throw new TypeError("the session cannot be renewed now"); // as fetch says that the network is away
}

// signInAddress is where signing in begins; it comes back to an address of the page.
export function signInAddress(to: string): string {
  return `console/session/login?${new URLSearchParams({ to, lang: language.value })}`;
}

// signOut ends the session here, in all tabs, and at the issuer. It throws if it could
// not.
export async function signOut(): Promise<void> {
  const query = new URLSearchParams({ lang: language.value });
  const address = await alone(async () => {
    const reply = await fetch(`console/session/logout?${query}`, { method: "POST", headers: { "X-Console": "1" } });
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    return (await reply.json()).address as string;
  });
  channel?.postMessage({ signedOut: true });
  leave();
  location.assign(address || "#/signed-out");
}

// leave takes from the page what it shows of a person. The browser may keep it for its
// button Back: nothing of that is to stay in it, and nobody is to be led to the sign-in
// meanwhile.
function leave(): void {
  session.value = { kind: "signed_out" };
}

globalThis.addEventListener?.("pageshow", (event) => {
  if (event.persisted && session.value.kind === "signed_out") location.reload();
});

// The other tabs: whoever signs in in one, and that somebody signs out, counts for all.
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("session") : undefined;

channel?.addEventListener("message", ({ data }) => {
  const { kind } = session.value;
  if (data.signedOut) leave();
  else if (kind === "over" || kind === "other") void token().catch(() => undefined);
  else if (kind === "active" && data.signedIn !== holder) session.value = { kind: "other" };
});
