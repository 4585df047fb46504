import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { hash } from "../place.ts";
import { label } from "../session.ts";
import { t } from "../words.ts";
import { forget, Told } from "./live.tsx";

let shown = ""; // the path whose heading had the focus last

// focusHeading is for what takes away the element that has the focus.
export function focusHeading(): void {
  document.querySelector<HTMLElement>("main h1")?.focus();
}

interface PageProps {
  // Of the window; and the heading, where that is no more than a text.
  title: string;
  heading?: ComponentChildren;
  children: ComponentChildren;
  beside?: ComponentChildren;
}

// Page is what stands below the bar: one heading, which takes the focus when the
// address changes, and the title of the window.
export function Page({ title, heading: shownHeading, children, beside }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  const path = hash.value.split("?")[0]!;
  useEffect(() => {
    if (shown && shown !== path) heading.current?.focus();
    shown = path;
    forget();
  }, [path]);
  useEffect(() => {
    document.title = [title, label.value, t("app.name")].filter(Boolean).join(" · ");
  });
  return (
    <main id="main">
      <div class="head">
        <h1 tabIndex={-1} ref={heading}>
          {shownHeading ?? title}
        </h1>
        {beside}
      </div>
      <Told />
      {children}
    </main>
  );
}
