// Calls of the API as commands for curl, made of its document.

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required?: boolean;
  example?: unknown;
}

export interface Call {
  id: string;
  tag: string;
  method: string;
  path: string;
  summary: string;
  role: string; // of the lowest who may make it; "" for nobody in particular
  parameters: Parameter[];
  body?: unknown; // an example
}

type Node = Record<string, any>;

const methods = ["get", "post", "put", "delete"];

// callsOf are the calls of a document, in its order of tags and paths.
export function callsOf(document: Node): { tag: string; text: string; calls: Call[] }[] {
  const follow = (node: Node): Node => (node.$ref ? follow(String(node.$ref).slice(2).split("/").reduce((at, name) => at[name], document)) : node);
  const calls: Call[] = [];
  for (const [path, item] of Object.entries(document.paths as Node)) {
    for (const method of methods) {
      const operation = item[method];
      if (!operation) continue;
      const content = operation.requestBody?.content?.["application/json"];
      const examples = Object.values((content?.examples ?? {}) as Node);
      calls.push({
        id: operation.operationId,
        tag: operation.tags?.[0] ?? "",
        method: method.toUpperCase(),
        path,
        summary: operation.summary ?? "",
        role: operation["x-role"] ?? "",
        parameters: [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((one) => follow(one) as Parameter),
        body: content && (content.example ?? (examples[0] ? follow(examples[0]).value : {})),
      });
    }
  }
  return (document.tags as Node[]).map((tag) => ({ tag: tag.name, text: tag.description ?? "", calls: calls.filter((call) => call.tag === tag.name) }));
}

// quoted is a text as one word of a shell.
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

// curlOf is a command that makes a call. Base, token and the parts of the path are
// variables of the shell, which variablesOf lists.
export function curlOf(call: Call): string {
  const words = ["curl -sS --fail-with-body"];
  if (call.method !== "GET" && !(call.method === "POST" && call.body !== undefined)) words.push(`-X ${call.method}`);
  if (call.role) words.push(`-H "Authorization: Bearer $TOKEN"`);
  for (const one of call.parameters) {
    if (one.in === "header" && (one.required || one.example !== undefined)) words.push(`-H ${quoted(`${one.name}: ${String(one.example ?? "")}`)}`);
  }
  if (call.body !== undefined) words.push(`-H 'Content-Type: application/json'`, `--data ${quoted(JSON.stringify(call.body, null, 2))}`);
  words.push(`"$API${call.path.replace(/\{(\w+)\}/g, (_, name: string) => `$${variable(name)}`)}"`);
  return words.join(" \\\n  ");
}

// variable is the variable of the shell for a part of a path.
export function variable(name: string): string {
  return name === "id" ? "CONNECTOR" : name.toUpperCase();
}

export function variablesOf(calls: Call[]): string[] {
  const names = calls.flatMap((call) => [...call.path.matchAll(/\{(\w+)\}/g)].map((found) => variable(found[1]!)));
  return [...new Set(names)];
}
