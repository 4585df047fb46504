import { signal } from "@preact/signals";

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
