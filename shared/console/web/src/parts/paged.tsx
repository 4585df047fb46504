import type { ComponentChildren } from "preact";
import type { Paged } from "../paged.ts";
import { t } from "../words.ts";
import { useAction } from "./action.ts";
import { Button } from "./controls.tsx";
import { Fault, Loaded } from "./state.tsx";

// PagedList is a list with a button for what came since, above it, and for more, below.
export function PagedList<T>({ of, empty, children }: { of: Paged<T>; empty: ComponentChildren; children: (entries: T[]) => ComponentChildren }) {
  const act = useAction();
  return (
    <>
      {of.fresh > 0 && <p><Button onClick={of.show}>{t("list.new", { count: of.fresh })}</Button></p>}
      <Loaded of={of}>{(entries) => (entries.length ? children(entries) : empty)}</Loaded>
      {act.fault && <Fault of={act.fault} />}
      {of.more && <p><Button onClick={() => act.run(of.more!)}>{t("list.more")}</Button></p>}
    </>
  );
}
