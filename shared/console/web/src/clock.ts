// The time by the clock of the server. That of the browser may be wrong by hours, and the
// times that the API tells are of the server's.

let ahead = 0; // what the server's clock is ahead of the browser's, in ms

// The time in a reply is in whole seconds, and the reply has taken a while: less than
// this is no difference.
const least = 60_000; // ms

// heard takes the time from a reply that no cache kept.
export function heard(reply: Pick<Response, "headers">, at = Date.now()): void {
  const told = Date.parse(reply.headers.get("Date") ?? "");
  if (Number.isNaN(told)) return;
  ahead = Math.abs(told - at) < least ? 0 : told - at;
}

// now is the time, in ms.
export function now(): number {
  return Date.now() + ahead;
}
