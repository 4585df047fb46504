// The API as the console calls it: by the names of its document, with types of it.
import type { components, operations as Operations } from "./generated/api.ts";
import { operations } from "./generated/operations.ts";
import { heard } from "./clock.ts";
import { ready } from "./sentences.ts";
import { SessionOver, token } from "./session.ts";

export type Schemas = components["schemas"];
export type Operation = keyof typeof operations & keyof Operations;

type Reply<O extends Operation> = Operations[O] extends { responses: infer R }
  ? { [S in keyof R & (200 | 201 | 202)]: R[S] extends { content: { "application/json": infer B } } ? B : never }[keyof R & (200 | 201 | 202)]
  : never;
type Body<O extends Operation> = Operations[O] extends { requestBody: { content: { "application/json": infer B } } } ? B : never;

export interface Request<O extends Operation> {
  path?: Record<string, string | number>;
  query?: Record<string, string | number | undefined>;
  body?: Body<O>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export interface Answer<O extends Operation> {
  data: Reply<O>;
  etag: string;
}

// Refused is a refusal of the API, or of what stands before it.
export class Refused extends Error {
  readonly status: number;
  readonly problem: Partial<Schemas["Problem"]>;
  readonly retryAfter: number; // s
  constructor(status: number, problem: Partial<Schemas["Problem"]>, retryAfter: number) {
    super(problem.detail ?? `status ${status}`);
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  // The name of the problem in the document, such as in_use.
  get name(): string {
    return this.problem.type?.split("/").pop() ?? "";
  }
}

// Away is no reply at all: the network, or the API, is away. Whether a change took
// effect is not known.
export class Away extends Error {}

// Calls under way, and who waits for the first one to end.
let underWay = 0;
let ended: () => void;
const firstEnd = new Promise<void>((resolve) => (ended = resolve));

// afterFirst is over when what a page shows first was read and is drawn, or when the page
// reads nothing. What is wanted besides waits for it.
export async function afterFirst(): Promise<void> {
  const drawn = () => new Promise((resolve) => setTimeout(resolve));
  await drawn();
  if (underWay > 0) await firstEnd;
  await drawn();
}

// What GET replied last, by address; a reply that did not change is not sent again.
const seen = new Map<string, { etag: string; data: unknown }>();
const remembered = 50;

export function address<O extends Operation>(operation: O, request: Request<O> = {}): string {
  const path = operations[operation].path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(request.path?.[name] ?? ""));
  const query = Object.entries(request.query ?? {}).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(query.map(([name, value]) => [name, String(value)])).toString();
  return `.${path}${text && "?" + text}`;
}

// call makes a call. It throws Refused, Away, or SessionOver.
export async function call<O extends Operation>(operation: O, request: Request<O> = {}): Promise<Answer<O>> {
  underWay++;
  return answered(operation, request).finally(() => {
    underWay--;
    ended();
  });
}

async function answered<O extends Operation>(operation: O, request: Request<O>): Promise<Answer<O>> {
  const where = address(operation, request);
  const { method } = operations[operation];
  const before = method === "GET" ? seen.get(where) : undefined;
  const headers: Record<string, string> = { Accept: "application/json", ...request.headers };
  if (before) headers["If-None-Match"] = before.etag;
  if (request.body !== undefined) headers["Content-Type"] = "application/json";
  const reply = await sent(where, { method, headers, body: request.body === undefined ? undefined : JSON.stringify(request.body), signal: request.signal });
  const etag = reply.headers.get("ETag") ?? "";
  if (reply.status === 304 && before) return { data: before.data as Reply<O>, etag: before.etag };
  if (!reply.ok) throw await refusal(reply);
  const data = reply.status === 204 ? undefined : await reply.json().catch(() => Promise.reject(new Away()));
  await ready(data);
  // A preview shows people, and is not kept.
  if (method === "GET" && etag && operation !== "readPreview") {
    seen.delete(where);
    seen.set(where, { etag, data });
    if (seen.size > remembered) seen.delete(seen.keys().next().value!);
  }
  return { data, etag };
}

// csv fetches a list as a file for people. It returns the text and the cursor of the
// next page.
export async function csv<O extends Operation>(operation: O, request: Request<O>): Promise<{ text: string; next?: string }> {
  const reply = await sent(address(operation, request), { headers: { Accept: "text/csv" }, signal: request.signal });
  if (!reply.ok) throw await refusal(reply);
  const next = /<[^>]*[?&]cursor=([^&>]*)[^>]*>;\s*rel="?next"?/.exec(reply.headers.get("Link") ?? "")?.[1];
  return { text: await reply.text(), next: next && decodeURIComponent(next) };
}

// sent sends a request with a token; with a fresh one if it is refused.
async function sent(where: string, init: RequestInit): Promise<Response> {
  let refused: string | undefined;
  for (;;) {
    const bearer = await token(refused).catch((error) => Promise.reject(error instanceof SessionOver ? error : new Away()));
    const reply = await fetch(where, { ...init, headers: { ...init.headers, Authorization: `Bearer ${bearer}` }, cache: "no-store" }).catch((error) =>
      Promise.reject(init.signal?.aborted ? error : new Away()),
    );
    heard(reply);
    if (reply.status !== 401 || refused !== undefined) return reply;
    refused = bearer;
  }
}

async function refusal(reply: Response): Promise<Refused> {
  const body = await reply.json().catch(() => ({}));
  if (body.type) await ready({ errors: [body] });
  return new Refused(reply.status, body.type ? body : {}, Number(reply.headers.get("Retry-After")) || 0);
}
