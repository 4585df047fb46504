// The three settings of a person, which are all that the console keeps in the browser.
import { effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

// stored returns a signal whose value is kept under a name, and is that of all tabs. A
// browser that refuses storage loses it with the page.
function stored<T extends string = string>(name: string, preset: NoInfer<T>, valid: (text: string) => boolean) {
  let text: string | null = null;
  try {
    text = localStorage.getItem(name);
  } catch {
    // storage is switched off
  }
  const known = (text: string | null) => (text !== null && valid(text) ? (text as T) : preset);
  const value = signal<T>(known(text));
  globalThis.addEventListener?.("storage", (event) => {
    if (event.key === name) value.value = known(event.newValue);
  });
  effect(() => {
    try {
      if (value.value === preset) localStorage.removeItem(name);
      else localStorage.setItem(name, value.value);
    } catch {
      // storage is switched off
    }
  });
  return value;
}

// The language that was chosen; empty: that of the browser.
export const chosenLanguage = stored("language", "", (text) => text.length < 20);

export const theme = stored<Theme>("theme", "system", (text) => ["light", "dark"].includes(text));

// The time zone in which times are shown; empty: that of the browser.
export const chosenZone = stored("time-zone", "", isZone);

export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
