import { signal } from "@preact/signals";
import { hash } from "../place.ts";

const said = signal("");
let timer: ReturnType<typeof setTimeout> | undefined;

// say announces a result once, politely. What is said stands on the page too.
export function say(text: string): void {
  clearTimeout(timer);
  said.value = "";
  timer = setTimeout(() => (said.value = text), 150); // so that the same text is said again
}

export function LiveRegion() {
  return (
    <div role="status" class="for-readers" data-live>
      {said.value}
    </div>
  );
}

const told = signal({ text: "", path: "" });

const pathOf = (address: string) => address.split("?")[0]!;

// tell says a result and shows it at the top of the page, or of the page that the
// address leads to, until another page is shown or another result told.
export function tell(text: string, address = hash.value): void {
  told.value = { text, path: pathOf(address) };
  say(text);
}

// Told is the result that the page was told.
export function Told() {
  const { text, path } = told.value;
  if (!text || path !== pathOf(hash.value)) return null;
  return <p class="notice" data-kind="ok">{text}</p>;
}

// forget is called when another page is shown.
export function forget(): void {
  if (!told.value.text || told.value.path === pathOf(hash.value)) return;
  told.value = { text: "", path: "" };
  said.value = "";
}
