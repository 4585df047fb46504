// Where in the console a problem of a connector can be put right.
import type { Schemas } from "./api.ts";
import { to } from "./place.ts";

export interface Remedy {
  word: "remedy.password" | "remedy.registry" | "remedy.mts" | "remedy.odk" | "remedy.callback" | "remedy.settings" | "remedy.rejections" | "remedy.duplicates";
  link: string;
}

type Source = Schemas["ProblemSource"];

const fields: Partial<Record<Source, [Remedy["word"], string]>> = {
  sign_in: ["remedy.password", "/registry/password"],
  registry: ["remedy.registry", "/registry/url"],
  read: ["remedy.registry", "/registry/url"],
  types: ["remedy.registry", "/registry/vid_type"],
  mts: ["remedy.mts", "/mts_url"],
  mts_reply: ["remedy.mts", "/mts_url"],
  odk: ["remedy.odk", "/odk/base_url"],
  delivery: ["remedy.callback", "/callback/url"],
  arrival: ["remedy.callback", "/callback/url"],
  token_shape: ["remedy.settings", "/token_shape"],
  config: ["remedy.settings", ""],
};

// remedyOf is undefined where the console cannot help: at MTS, in the deployment.
export function remedyOf(connector: string, { source }: { source: Source }): Remedy | undefined {
  if (source === "set_aside") return { word: "remedy.rejections", link: to(["connectors", connector, "rejections"], { kind: "set_aside" }) };
  if (source === "alike") return { word: "remedy.duplicates", link: to(["connectors", connector, "duplicates"]) };
  const found = fields[source];
  return found && { word: found[0], link: to(["connectors", connector, "settings"], { field: found[1] }) };
}
