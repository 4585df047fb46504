import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Paged } from "../paged.ts";
import { t } from "../words.ts";
import { useAction } from "./action.ts";
import { Button } from "./controls.tsx";
import { Fault, Loaded } from "./state.tsx";

// PagedList is a list with a button for what came since, above it, and for more, below.
export function PagedList<T>({ of, empty, children }: { of: Paged<T>; empty: ComponentChildren; children: (entries: T[]) => ComponentChildren }) {
  const act = useAction();
  const list = useRef<HTMLDivElement>(null);
  const end = useRef<HTMLParagraphElement>(null);
  const [asked, ask] = useState(false);
  const atEnd = asked && !of.more && !act.busy;
  useEffect(() => {
    if (atEnd) end.current?.focus();
  }, [atEnd]);
  const show = () => {
    of.show();
    list.current?.focus(); // the button goes
  };
  const more = () => {
    ask(true);
    act.run(of.more!);
  };
  return (
    <>
      {of.fresh > 0 && <p><Button onClick={show}>{t("list.new", { count: of.fresh })}</Button></p>}
      <div ref={list} tabIndex={-1}>
        <Loaded of={of}>{(entries) => (entries.length ? children(entries) : empty)}</Loaded>
      </div>
      {act.fault && <Fault of={act.fault} />}
      {of.more && <p><Button onClick={more}>{t("list.more")}</Button></p>}
      {atEnd && <p ref={end} tabIndex={-1}>{t("list.end")}</p>}
    </>
  );
}
