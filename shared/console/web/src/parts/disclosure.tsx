import type { ComponentChildren, TargetedToggleEvent } from "preact";
import { useState } from "preact/hooks";

// Disclosure shows what is in it once it is opened; only then is it made, and read.
export function Disclosure({ summary, name, children }: { summary: string; name?: string; children: () => ComponentChildren }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="disclosure" onToggle={(event: TargetedToggleEvent<HTMLDetailsElement>) => setOpen(event.currentTarget.open)}>
      <summary aria-label={name}>{summary}</summary>
      {open && children()}
    </details>
  );
}
