// `/`: a plain page that says what this node is, who is there, and what is stored, without a
// script or style. All text from outside is escaped, and the policy forbids everything else.

import { encodeName } from "../../shared/base/name.ts";
import { formatSize } from "../../shared/base/units.ts";
import type { App } from "./routes.ts";
import { escape, htmlResponse, page } from "./html.ts";
import { logIn } from "./login.ts";
import type { Services } from "./services.ts";

const filesShown = 100;

/** Adds the route. @throws never */
export function routeHome(app: App, services: Services): void {
  app.get("/", async (context) => {
    const token = context.req.query("token");
    if (token !== undefined) return logIn(token, { headers: context.req.raw.headers, services });
    return htmlResponse(page(`Skyring: ${services.status().name}`, await content(services)), 200);
  });
}

async function content(services: Services): Promise<string> {
  const status = services.status();
  const files = await services.pool.list({ prefix: "", after: undefined, limit: filesShown });
  const nodes = services.nodes().map((node) =>
    row([node.name, node.state, node.phase.phase, formatSize(node.used), formatSize(node.capacity)])
  );
  const rows = files.items.map((file) =>
    `<tr><td><a href="/api/files/${encodeName(file.name)}">${escape(file.name)}</a></td>` +
    `<td>${escape(formatSize(file.size))}</td>` +
    `<td>${file.replicas.least} of ${file.replicas.wanted}</td></tr>`
  );
  const more = files.next === null ? "" : `<p>The first ${filesShown} names are shown.</p>`;
  return `<h1>${escape(status.name)}</h1>` +
    `<p>${escape(status.phase.phase)}: ${escape(status.phase.because)}</p>` +
    `<h2>Nodes</h2>${table(["name", "state", "phase", "used", "capacity"], nodes)}` +
    `<h2>Files</h2>${table(["name", "size", "copies"], rows)}${more}` +
    `<p><a href="/api/status">status</a> <a href="/api/openapi.json">API</a></p>`;
}

function table(heads: readonly string[], rows: readonly string[]): string {
  const head = heads.map((text) => `<th scope="col">${text}</th>`).join("");
  return `<table><thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

function row(cells: readonly string[]): string {
  return `<tr>${cells.map((cell) => `<td>${escape(cell)}</td>`).join("")}</tr>`;
}
