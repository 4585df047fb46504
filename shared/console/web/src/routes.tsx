// The pages by their addresses. A part that begins with a colon is given to the page.
import type { JSX } from "preact";
import { API } from "./pages/api.tsx";
import { Changes } from "./pages/changes.tsx";
import { Connectors } from "./pages/connectors.tsx";
import { New, Settings } from "./pages/form.tsx";
import { Duplicates } from "./pages/duplicates.tsx";
import { Anywhere, Registrant } from "./pages/registrant.tsx";
import { Rejections } from "./pages/rejections.tsx";
import { Imports } from "./pages/imports.tsx";
import { Overview } from "./pages/overview.tsx";
import { Run, Runs } from "./pages/runs.tsx";

interface Route {
  pattern: string;
  page: (named: Record<string, string>, query: Record<string, string>) => JSX.Element;
}

export const routes: Route[] = [
  { pattern: "", page: () => <Connectors /> },
  { pattern: "connectors", page: () => <Connectors /> },
  { pattern: "new", page: (_, query) => <New from={query.from} field={query.field} /> },
  { pattern: "connectors/:id/settings", page: ({ id }, query) => <Settings key={id} id={id!} field={query.field} /> },
  { pattern: "connectors/:id/rejections", page: ({ id }, query) => <Rejections id={id!} query={query} /> },
  { pattern: "connectors/:id/duplicates", page: ({ id }) => <Duplicates id={id!} /> },
  { pattern: "connectors/:id/registrants/:registrant", page: ({ id, registrant }) => <Registrant id={id!} registrant={registrant!} /> },
  { pattern: "registrants/:registrant", page: ({ registrant }) => <Anywhere registrant={registrant!} /> },
  { pattern: "connectors/:id", page: ({ id }) => <Overview key={id} id={id!} /> },
  { pattern: "connectors/:id/runs", page: ({ id }) => <Runs key={id} id={id!} /> },
  { pattern: "connectors/:id/runs/:run", page: ({ id, run }) => <Run key={id} id={id!} run={run!} /> },
  { pattern: "connectors/:id/imports", page: ({ id }) => <Imports key={id} id={id!} /> },
  { pattern: "connectors/:id/changes", page: ({ id }) => <Changes key={id} id={id!} /> },
  { pattern: "api", page: () => <API /> },
];
