import type { ComponentChildren, TargetedEvent } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import type { Operation } from "../api.ts";
import { allowed, highest, needed, person } from "../person.ts";
import { t } from "../words.ts";

interface ButtonProps {
  children: ComponentChildren;
  onClick: () => void;
  // The call that it makes: who may not make it sees why.
  makes?: Operation;
  // Why it cannot be used now.
  unless?: string;
  kind?: "main" | "danger" | "plain";
  // What a reader hears, where the text alone does not say what it is about.
  name?: string;
  expanded?: boolean;
  id?: string;
}

// Button does something. One that cannot be used keeps its place and says why.
export function Button({ children, onClick, makes, unless, kind, name, expanded, id }: ButtonProps) {
  const reason = useId();
  const why = unless ?? lacking(makes);
  return (
    <span class="with-reason">
      <button
        type="button"
        id={id}
        data-kind={kind}
        aria-label={name}
        aria-expanded={expanded}
        aria-disabled={why ? true : undefined}
        aria-describedby={why ? reason : undefined}
        onClick={why ? undefined : onClick}
      >
        {children}
      </button>
      {why && (
        <span id={reason} class="reason">
          {why}
        </span>
      )}
    </span>
  );
}

// lacking says which role a person lacks for a call.
export function lacking(operation?: Operation): string | undefined {
  if (!operation || !person.value || allowed(operation)) return undefined;
  const has = highest.value;
  return has
    ? t("role.needed", { needed: t(`role.${needed(operation)}`), has: t(`role.${has}`) })
    : t("role.none", { needed: t(`role.${needed(operation)}`) });
}

// LinkButton is a link that looks as what it stands beside. Who may not use what is
// there sees why.
export function LinkButton({ href, unless, children, main }: { href: string; unless?: string; children: ComponentChildren; main?: boolean }) {
  if (!unless) return <a class="button" data-kind={main ? "main" : undefined} href={href}>{children}</a>;
  return <Button unless={unless} onClick={() => undefined}>{children}</Button>;
}

interface DialogProps {
  title: string;
  children: ComponentChildren;
  // The buttons that do something; one that closes it is added.
  actions: ComponentChildren;
  close: () => void;
  closeLabel?: string;
}

// Dialog asks before something is done. Escape closes it, and the focus returns to
// where it was.
export function Dialog({ title, children, actions, close, closeLabel }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      element.current?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      aria-labelledby={heading}
      onCancel={(event: Event) => {
        event.preventDefault();
        close();
      }}
    >
      <h2 id={heading}>{title}</h2>
      {children}
      <div class="actions">
        {actions}
        <Button onClick={close}>{closeLabel ?? t("action.cancel")}</Button>
      </div>
    </dialog>
  );
}

type SelectProps = { label: string; value: string; options: [value: string, text: string][]; onChange: (value: string) => void; id?: string };

// Select is a choice with its label above it.
export function Select({ label, value, options, onChange, id }: SelectProps) {
  const own = useId();
  return (
    <div class="field">
      <label for={id ?? own}>{label}</label>
      <select id={id ?? own} value={value} onChange={(event: TargetedEvent<HTMLSelectElement>) => onChange(event.currentTarget.value)}>
        {options.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}
