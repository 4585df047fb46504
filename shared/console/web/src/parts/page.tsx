import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { hash } from "../place.ts";
import { label } from "../session.ts";
import { t } from "../words.ts";

let shown = ""; // the path whose heading had the focus last

// Page is what stands below the bar: one heading, which takes the focus when the
// address changes, and the title of the window.
export function Page({ title, children, beside }: { title: string; children: ComponentChildren; beside?: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const path = hash.value.split("?")[0]!;
  useEffect(() => {
    if (shown && shown !== path) heading.current?.focus();
    shown = path;
  }, [path]);
  useEffect(() => {
    document.title = [title, label.value, t("app.name")].filter(Boolean).join(" · ");
  });
  return (
    <main id="main">
      <div class="head">
        <h1 tabIndex={-1} ref={heading}>
          {title}
        </h1>
        {beside}
      </div>
      {children}
    </main>
  );
}
