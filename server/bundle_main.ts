// Makes the scripts of the tab for browsers (`built/`), when one of their sources has changed.
// Tasks that serve them run this first: a node itself may run no other program. Where it cannot
// be made (no network at the very first time, a checkout that may not be written) it says so, and
// the node runs without that page.

import { createHash } from "node:crypto";
import { brotliCompressSync } from "node:zlib";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf } from "../shared/base/errors.ts";
import { toString } from "uint8arrays/to-string";
import { type BundleFile, bundleNames, bundlePath, readBundleFile } from "./http/tab_bundle.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const sourceFolders = ["shared", "web"];

try {
  const stamp = stampOf();
  if (stamp !== readBundleFile()?.stamp) await make(stamp);
} catch (error) {
  console.error(`Cannot make the tab's scripts: ${messageOf(error)}`);
  console.error("The node runs without the page that seeds from a browser.");
}

/** Bundles beside, then puts one file in the old one's place: who reads gets all old or all new. */
async function make(stamp: string): Promise<void> {
  const folder = dirname(bundlePath);
  await Deno.mkdir(folder, { recursive: true });
  const fresh = await Deno.makeTempDir({ dir: folder, prefix: "new-" });
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
    const scripts = bundleNames.map((name) => {
      const packed = brotliCompressSync(Deno.readFileSync(join(fresh, name)));
      return [name, toString(packed, "base64")] as const;
    });
    const made: BundleFile = { stamp, scripts: Object.fromEntries(scripts) };
    const written = join(fresh, "bundle.json");
    await Deno.writeTextFile(written, JSON.stringify(made));
    await Deno.rename(written, bundlePath);
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
  for (const path of ["deno.json", "deno.lock", "server/bundle_main.ts"]) note(path);
  return hash.digest("hex");
}
