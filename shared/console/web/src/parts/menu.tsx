import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

// Menu is a disclosure of links and buttons that are used rarely. Escape and leaving it
// close it.
export function Menu({ label, children }: { label: string; children: ComponentChildren }) {
  const element = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const outside = (event: Event) => {
      const menu = element.current;
      if (menu?.open && event.target instanceof Node && !menu.contains(event.target)) menu.open = false;
    };
    addEventListener("pointerdown", outside);
    addEventListener("focusin", outside);
    return () => {
      removeEventListener("pointerdown", outside);
      removeEventListener("focusin", outside);
    };
  }, []);
  const key = (event: KeyboardEvent) => {
    const menu = element.current;
    if (event.key !== "Escape" || !menu?.open) return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
  };
  return (
    <details class="choices" ref={element} onKeyDown={key}>
      <summary class="button">{label}</summary>
      <div onClick={() => element.current && (element.current.open = false)}>{children}</div>
    </details>
  );
}
