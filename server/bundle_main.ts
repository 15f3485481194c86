// Makes the scripts of the tab for browsers (`built/`), when one of their sources has changed.
// Tasks that serve them run this first: a node itself may run no other program. Where it cannot
// be made (no network at the very first time, a checkout that may not be written) it says so, and
// the node runs without that page.

import { createHash } from "node:crypto";
import { brotliCompressSync } from "node:zlib";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf } from "../shared/base/errors.ts";
import { bundleFolder, bundleNames } from "./http/tab_bundle.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const sourceFolders = ["shared", "web"];
const stampName = "stamp";

try {
  const stamp = stampOf();
  if (stamp !== await readStamp()) await make(stamp);
} catch (error) {
  console.error(`Cannot make the tab's scripts: ${messageOf(error)}`);
  console.error("The node runs without the page that seeds from a browser.");
}

/** Bundles into a folder beside, then moves each file: who reads meanwhile gets old or new. */
async function make(stamp: string): Promise<void> {
  await Deno.mkdir(bundleFolder, { recursive: true });
  const fresh = await Deno.makeTempDir({ dir: bundleFolder, prefix: "new-" });
  try {
    const { code, stderr } = await new Deno.Command("deno", {
      args: [
        ...["bundle", "--quiet", "--platform", "browser", "--minify", "--outdir", fresh],
        ...bundleNames.map((name) => `web/tab/${name.replace(/\.js$/, ".ts")}`),
      ],
      cwd: root,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (code !== 0) throw new Error(new TextDecoder().decode(stderr).trim());
    for (const name of bundleNames) {
      const packed = brotliCompressSync(await Deno.readFile(join(fresh, name)));
      await Deno.writeFile(join(fresh, `${name}.br`), packed);
      for (const file of [name, `${name}.br`]) {
        await Deno.rename(join(fresh, file), join(bundleFolder, file));
      }
    }
    await Deno.writeTextFile(join(bundleFolder, stampName), stamp);
  } finally {
    await Deno.remove(fresh, { recursive: true });
  }
}

/** What the bundle is made of, by size and time of each file: quicker than to read them. */
function stampOf(): string {
  const hash = createHash("sha256");
  const note = (path: string) => {
    const { size, mtime } = Deno.statSync(join(root, path));
    hash.update(`${path} ${size} ${mtime?.getTime() ?? 0}\n`);
  };
  const walk = (folder: string) => {
    const entries = [...Deno.readDirSync(join(root, folder))];
    for (
      const { name, isDirectory } of entries.sort((one, other) => one.name < other.name ? -1 : 1)
    ) {
      if (isDirectory) walk(`${folder}/${name}`);
      else if (/\.tsx?$/.test(name)) note(`${folder}/${name}`);
    }
  };
  for (const folder of sourceFolders) walk(folder);
  for (const path of ["deno.json", "deno.lock"]) note(path);
  return hash.digest("hex");
}

async function readStamp(): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(join(bundleFolder, stampName));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
