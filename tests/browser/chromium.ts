// The system's Chromium, driven by playwright-core, and what journeys share: pages that note
// every error they print, and the shots that people look at.

import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const basic = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
/** How Chromium is started here: without a display, and without asking its maker anything. */
export const chromiumFlags: readonly string[] = [...basic, ...quiet];
const shotsFolder = fileURLToPath(new URL("../../shots/", import.meta.url));

/** A page with all errors it printed or threw. */
export interface Watched {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly errors: string[];
}

export interface View {
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: "light" | "dark";
  readonly javaScript?: boolean;
}

/** Runs `use` with a browser and closes it in every case; `more` are flags of this one. */
export async function withBrowser(
  use: (browser: Browser) => Promise<void>,
  more: readonly string[] = [],
): Promise<void> {
  const browser = await chromium.launch({
    executablePath: chromiumPath(),
    args: [...chromiumFlags, ...more],
  });
  try {
    await use(browser);
  } finally {
    await browser.close();
  }
}

/** Runs `use` with a page of its own context. */
export async function withPage(
  browser: Browser,
  view: View,
  use: (watched: Watched) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext({
    viewport: { width: view.width ?? 1_280, height: view.height ?? 800 },
    colorScheme: view.scheme ?? "light",
    javaScriptEnabled: view.javaScript ?? true,
  });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(error.message));
  try {
    await use({ page, context, errors });
  } finally {
    await context.close();
  }
}

/** Keeps a picture of the whole page where git does not look. */
export async function shoot(page: Page, name: string): Promise<void> {
  await Deno.mkdir(shotsFolder, { recursive: true });
  await page.screenshot({ path: `${shotsFolder}${name}.png`, fullPage: true });
}

/** Where the system's Chromium is. @throws {Error} when it is not installed */
export function chromiumPath(): string {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  const found = folders.map((folder) => `${folder}/chromium`).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false; // not in this folder of the path
    }
  });
  if (found === undefined) throw new Error("Cannot find chromium on the path");
  return found;
}
