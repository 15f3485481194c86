// Forms of the dashboard: rename, copy, copies, delete, share, invite, pause, theme. Each does
// what one call of the API does, works without script, and answers with the page to see next.
// Cross-site requests are refused before any of this (auth.ts), and GET changes nothing.

import { SkyringError } from "../../shared/base/errors.ts";
import { type Cid } from "../../shared/base/ids.ts";
import { replicasMax } from "../../shared/base/limits.ts";
import { FilePage } from "../../web/pages/file.tsx";
import { NodesPage } from "../../web/pages/nodes.tsx";
import { fileHref } from "../../web/pages/event_list.tsx";
import { ShareBox } from "../../web/pages/share_box.tsx";
import { parseCid, queryInteger } from "./requests.ts";
import type { App } from "./routes.ts";
import { sharePath } from "./shares.ts";
import { isSecure } from "./auth.ts";
import { readWord } from "./gateway_word.ts";
import { seeOther, uiResponse } from "./ui_answer.ts";
import { nameIn, readForm } from "./ui_form.ts";
import { failure, page, type Ui } from "./ui_pages.ts";
import { themeCookie } from "./ui_views.ts";

const dayMs = 86_400_000;
const yearSeconds = 31_536_000;

/** Adds the forms' routes. @throws never */
export function routeActions(app: App, ui: Ui): void {
  const { services } = ui;
  app.post("/ui/theme", async ({ req }) => {
    const form = await readForm(req.raw);
    const theme = form.get("theme");
    const answer = seeOther(form.get("back") ?? "/");
    const chosen = theme === "light" || theme === "dark" ? theme : "auto";
    const secure = isSecure(req.raw.headers, services.config) ? "; Secure" : "";
    answer.headers.set(
      "set-cookie",
      `${themeCookie}=${chosen}; Path=/; Max-Age=${yearSeconds}; SameSite=Strict${secure}`,
    );
    return answer;
  });
  routeFileForms(app, ui);
  routeShareForm(app, ui);
  const { invite, workers } = services;
  if (invite !== undefined) {
    app.post("/ui/invite", async ({ req }) => {
      const token = await invite();
      const view = ui.views.pool(req.raw);
      const frame = ui.views.frame(req.raw);
      const html = NodesPage({
        view,
        frame: { ...frame, here: "/ui/nodes" },
        canInvite: true,
        invite: token,
      });
      const answer = uiResponse(String(html), { request: req.raw });
      answer.headers.set("cache-control", "no-store");
      return answer;
    });
  }
  if (workers !== undefined) {
    app.post("/ui/workers/:verb{pause|resume}", async ({ req }) => {
      const name = (await readForm(req.raw)).get("worker") ?? "";
      const known = req.param("verb") === "pause" ? workers.pause(name) : workers.resume(name);
      if (known) return seeOther("/ui/workers");
      return failure(ui, req.raw, new SkyringError("not_found", "Cannot find that worker"));
    });
  }
}

function routeFileForms(app: App, ui: Ui): void {
  const { pool } = ui.services;
  /** Runs a form's deed; a refusal shows the file's page again, with the reason. */
  const deed = (path: string, run: (form: FileForm) => Promise<string>) =>
    app.post(path, async ({ req }) => {
      const form = fileForm(await readForm(req.raw));
      try {
        return seeOther(await run(form));
      } catch (error) {
        if (!(error instanceof SkyringError) || error.code === "internal") throw error;
        return await refused(ui, { request: req.raw, error, name: form.name });
      }
    });
  deed("/ui/file/rename", async (form) => {
    const to = await linkAs(ui, form);
    const condition = { kind: "matches", cids: [form.cid] } as const;
    await pool.remove(form.name, { condition, moved: true });
    return fileHref(to);
  });
  deed("/ui/file/copy", async (form) => fileHref(await linkAs(ui, form)));
  deed("/ui/file/copies", async ({ name, fields }) => {
    const text = fields.get("replicas") ?? "";
    const replicas = queryInteger(text, { name: "copies", min: 1, max: replicasMax });
    await pool.setReplicas(name, replicas);
    return fileHref(name);
  });
  // There is no such file, so that a refusal has no page of its own to go back to.
  app.post("/ui/file/undelete", async ({ req }) => {
    const { name, cid, fields } = fileForm(await readForm(req.raw));
    const text = fields.get("replicas") ?? "";
    const replicas = queryInteger(text, { name: "copies", min: 1, max: replicasMax });
    try {
      await pool.link(cid, { name, replicas, condition: { kind: "absent" } });
      return seeOther(fileHref(name));
    } catch (error) {
      if (!(error instanceof SkyringError) || error.code === "internal") throw error;
      return failure(ui, req.raw, error);
    }
  });
  deed("/ui/file/delete", async ({ name, cid }) => {
    await pool.remove(name, { condition: { kind: "matches", cids: [cid] } });
    return "/ui/files";
  });
}

interface FileForm {
  readonly name: string;
  /** The version that was shown: another one is not touched. */
  readonly cid: Cid;
  readonly fields: URLSearchParams;
}

function fileForm(fields: URLSearchParams): FileForm {
  return { name: nameIn(fields, "name"), cid: parseCid(fields.get("cid") ?? ""), fields };
}

/** Gives the shown version a second name. @throws {SkyringError} exists and others of the pool */
async function linkAs(ui: Ui, { name, cid, fields }: FileForm): Promise<string> {
  const { pool } = ui.services;
  const to = nameIn(fields, "to");
  if (to === name) throw new SkyringError("bad_name", "Cannot use name: it is the one it has");
  const { replicas, chunkBytes } = await pool.stat(name);
  await pool.link(cid, {
    ...{ name: to, replicas: replicas.wanted, chunkBytes },
    condition: { kind: "absent" },
  });
  return to;
}

async function refused(
  ui: Ui,
  options: { readonly request: Request; readonly error: SkyringError; readonly name: string },
): Promise<Response> {
  const { request, error, name } = options;
  const frame = { ...ui.views.frame(request), here: fileHref(name) };
  const answer = await page(ui, request, async () => (
    FilePage({ view: await ui.files.one(name, { from: 0, refusal: `${error.message}.` }), frame })
  ));
  answer.headers.set("cache-control", "no-store");
  return answer;
}

function routeShareForm(app: App, ui: Ui): void {
  const { shareKey, pool, now } = ui.services;
  if (shareKey === undefined) return;
  app.post("/ui/share", async ({ req }) => {
    const fields = await readForm(req.raw);
    const name = nameIn(fields, "name");
    const days = queryInteger(fields.get("days") ?? "", { name: "days", min: 1, max: 365 });
    const file = await pool.stat(name);
    const expiresAt = now() + days * dayMs;
    const path = sharePath({ cid: file.cid, expiresAt, name }, shareKey());
    const origin = readWord(req.raw.headers, ui.services.config.token)?.origin ?? req.url;
    const share = { url: new URL(path, origin).href, expires: expiresAt };
    const nodes = ui.views.members().size;
    const copiesKnown = ui.views.copiesKnown();
    const answer = req.header("hx-request") === "true"
      ? uiResponse(String(ShareBox({ file, share, nodes, copiesKnown })), {
        request: req.raw,
      })
      : await page(ui, req.raw, async (frame) => (
        FilePage({
          view: await ui.files.one(name, { from: 0, share }),
          frame: { ...frame, here: fileHref(name) },
        })
      ));
    answer.headers.set("cache-control", "no-store");
    return answer;
  });
}
