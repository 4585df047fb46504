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
  // Somebody signed out, and the page is left.
  | { kind: "left" }
  | { kind: "none" }
  | { kind: "not_set_up"; redirect: string; issuer: string }
  | { kind: "away" };

export const session = signal<Session>({ kind: "starting" });

// What the deployment is called, such as TEST.
export const label = signal("");

export class SessionOver extends Error {}

// What is left of a token when it is renewed, in ms.
const margin = 30_000;

// token returns an access token that is valid, a fresh one after it was refused.
export async function token(refused?: string): Promise<string> {
  const valid = () => {
    const state = session.value;
    return state.kind === "active" && state.token !== refused && state.expires - now() > margin ? state.token : undefined;
  };
  return valid() ?? alone(async () => valid() ?? renewed());
}

// Two tabs must not renew at the same time: where the issuer rotates refresh tokens, the
// second use of one ends the session. Nor may one renew what another ends.
const alone = <T>(work: () => Promise<T>): Promise<T> => (navigator.locks ? (navigator.locks.request("session", work) as Promise<T>) : work());

async function renewed(): Promise<string> {
  if (session.value.kind === "left") throw new SessionOver();
  let reply: Response;
  try {
    // A page that is left meanwhile must not lose the cookie of the reply: the refresh
    // token in the one before may count no more.
    reply = await fetch("console/session/token", { method: "POST", headers: { "X-Console": "1" }, cache: "no-store", keepalive: true });
  } catch (error) {
    if (session.value.kind === "starting") session.value = { kind: "away" };
    throw error;
  }
  heard(reply);
  const body = await reply.json().catch(() => ({}));
  if (typeof body.label === "string") label.value = body.label;
  if (reply.ok) {
    session.value = { kind: "active", token: body.token, expires: Date.parse(body.expires) };
    return body.token;
  }
  if (reply.status === 401) {
    session.value = session.value.kind === "starting" ? { kind: "none" } : { kind: "over" };
    throw new SessionOver();
  }
  if (body.code === "not_set_up") session.value = { kind: "not_set_up", redirect: body.redirect, issuer: body.issuer };
  else if (session.value.kind === "starting") session.value = { kind: "away" };
  throw new TypeError("the session cannot be renewed now"); // as fetch says that the network is away
}

// signInAddress is where signing in begins; it comes back to an address of the page.
export function signInAddress(to: string): string {
  return `console/session/login?${new URLSearchParams({ to, lang: language.value })}`;
}

// signOut ends the session here and at the issuer. It fails if somebody stays signed in.
export async function signOut(): Promise<void> {
  const address = await alone(async () => {
    const reply = await fetch("console/session/logout", { method: "POST", headers: { "X-Console": "1" } });
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    return (await reply.json()).address as string;
  });
  // The browser may keep the page for its button Back: nothing that it knows is to stay
  // in it, and nobody is to be led to the sign-in meanwhile.
  session.value = { kind: "left" };
  if (address) location.assign(address);
  else {
    location.hash = "#/signed-out";
    location.reload();
  }
}

globalThis.addEventListener?.("pageshow", (event) => {
  if (event.persisted && session.value.kind === "left") location.reload();
});

const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("session") : undefined;

// announce tells the other tabs that somebody has signed in.
export function announce(): void {
  channel?.postMessage("signed-in");
}

channel?.addEventListener("message", () => {
  if (session.value.kind !== "over") return;
  void token().catch(() => undefined);
});
