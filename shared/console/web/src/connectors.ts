// The connectors of the deployment.
import { call, type Schemas } from "./api.ts";

const most = 100; // of a page of the API

// connectorPages reads the whole list, page by page. A page is the same object as long as
// nothing in it changes.
export async function connectorPages(): Promise<Schemas["ConnectorSummary"][][]> {
  const pages: Schemas["ConnectorSummary"][][] = [];
  let cursor: string | undefined;
  do {
    const { data }: { data: { connectors: Schemas["ConnectorSummary"][]; next?: string } } = await call("listConnectors", { query: { limit: most, cursor } });
    pages.push(data.connectors);
    cursor = data.next;
  } while (cursor);
  return pages;
}
