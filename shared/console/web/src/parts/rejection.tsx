// What pages say of rejections.
import type { Schemas } from "../api.ts";
import { now } from "../clock.ts";
import { to } from "../place.ts";
import { helpOf, type Kind, recordLink } from "../rejections.ts";
import * as sentences from "../sentences.ts";
import { t } from "../words.ts";
import { Machine, Sentence, Time } from "./text.tsx";

type Said = { reason?: string; reasons?: Schemas["Reasons"] };

// Why is why somebody was rejected, sentence by sentence.
export function Why({ of }: { of: Said }) {
  return <>{sentences.reasons(of).map((one, at) => <span key={at}>{at > 0 && " "}<Sentence of={one} /></span>)}</>;
}

// brief is the first reason of a group in one text, for names that readers hear.
export function brief(of: Said & { kind: Kind }): string {
  return sentences.reasons(of)[0]?.text ?? t("rejections.rest", { kind: kindOf(of.kind) });
}

export function kindOf(kind: Kind): string {
  return t(`rejection.kind.${kind}`);
}

// Help is what helps, as far as the reasons do not say so themselves.
export function Help({ of }: { of: { kind: Kind; code?: string } }) {
  const help = helpOf(of);
  return help ? <>{t(`rejection.help.${help}`)}</> : null;
}

// Next is when somebody is tried again.
export function Next({ at }: { at?: string }) {
  if (!at) return <>{t("rejection.next.never")}</>;
  return Date.parse(at) <= now() ? <>{t("rejection.next.due")}</> : <Time at={at} as="relative" />;
}

// RegistrantLink leads to what became of a registrant.
export function RegistrantLink({ connector, registrant = 0 }: { connector: string; registrant?: number }) {
  if (registrant < 1) return <>{t("rejection.no_registrant")}</>;
  return <a href={to(["connectors", connector, "registrants", registrant])}><Machine>{registrant}</Machine></a>;
}

// Submission is the id of one, which Central finds it by. A click selects all of it.
export function Submission({ id }: { id: string }) {
  return <span class="whole"><Machine>{id}</Machine></span>;
}

// RecordLink leads to a registrant's record in the registry, in another tab.
export function RecordLink({ registry, registrant, text }: { registry?: string; registrant: number; text?: string }) {
  const address = recordLink(registry, registrant);
  if (!address) return null;
  return (
    <a class={text ? undefined : "button"} href={address} target="_blank" rel="noopener noreferrer" aria-label={t("registrant.record_of", { registrant: String(registrant) })}>
      {text ? <Machine>{text}</Machine> : t("registrant.record")}
    </a>
  );
}
