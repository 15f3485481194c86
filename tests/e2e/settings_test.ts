// `deno task node` as a user types it: wrong settings, a folder elsewhere, a port in use.

import assert from "node:assert/strict";
import { join } from "node:path";
import { checkout } from "./node_child.ts";

/** Runs the task from `folder` until it ends, 30 s at most. */
async function nodeTask(
  folder: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; text: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "--config", join(checkout, "deno.json"), "node", ...args],
    cwd: folder,
    // A task that runs these tests has set where *its* user stands: it is not handed on.
    env: { INIT_CWD: folder, ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const limit = setTimeout(() => child.kill("SIGTERM"), 30_000);
  const output = await child.output();
  clearTimeout(limit);
  const decoder = new TextDecoder();
  return { code: output.code, text: decoder.decode(output.stdout) + decoder.decode(output.stderr) };
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skyring-settings-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("deno task node refuses a wrong setting by name, value and what is allowed", async () => {
  await withFolder(async (folder) => {
    const wrong = [
      ["--port=70000", /port "70000" from the command line: allowed is 0 .* to 65535/],
      ["--replicas=0", /replicas "0" .*allowed is 1 to 9/],
      ["--capacity=lots", /capacity "lots" .*allowed is/],
      ["--grace=-1s", /grace "-1s" .*allowed is/],
      ["--join=nowhere", /join "nowhere" .*allowed is URLs/],
      ["--name=../x", /name "\.\.\/x" .*allowed is/],
      ["--control=none", /control "none" .*allowed is any, self/],
      ["--prot=1", /did you mean --port/],
    ] as const;
    const seen = await Promise.all(wrong.map(([flag]) => nodeTask(folder, [flag, "--data=d"])));
    for (const [index, [flag, pattern]] of wrong.entries()) {
      assert.equal(seen[index]?.code, 2, `${flag}: ${seen[index]?.text}`);
      assert.match(seen[index]?.text ?? "", pattern, flag);
    }
    const variable = await nodeTask(folder, ["--data=d"], { SKYRING_REPLICAS: "many" });
    assert.match(variable.text, /replicas "many" from .*SKYRING_REPLICAS/);
    await Deno.writeTextFile(join(folder, "bad.json"), '{"replicas": 77}');
    const file = await nodeTask(folder, ["--data=d", "--config=bad.json"]);
    assert.match(file.text, /replicas "?77"? from .*bad\.json/);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["bad.json"]);
  });
});

Deno.test("the line that deno task node prints for a folder elsewhere starts a node", async () => {
  await withFolder(async (folder) => {
    await withFolder(async (elsewhere) => {
      const args = ["--data", join(elsewhere, "d"), "--port=0", "--p2p-port=0", "--no-mdns"];
      const { code, text } = await nodeTask(folder, args);
      assert.equal(code, 2, text);
      const line = text.split("\n").find((each) => each.startsWith("deno run ")) ?? "";
      assert.ok(line.includes(elsewhere), text);
      const words = line.split(" ").slice(1).map((word) => word.replace(/^'|'$/g, ""));
      const child = new Deno.Command(Deno.execPath(), {
        args: words,
        cwd: folder,
        stdin: "null",
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      const limit = setTimeout(() => child.kill("SIGKILL"), 30_000);
      let said = "";
      for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
        said += part;
        if (said.includes("dashboard")) child.kill("SIGTERM");
      }
      clearTimeout(limit);
      assert.equal((await child.status).code, 0);
      assert.match(said, new RegExp(`data +${elsewhere}/d`));
    });
  });
});

Deno.test("deno task node refuses a port in use by its number", async () => {
  await withFolder(async (folder) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    const flags = ["--data=d", "--no-mdns"];
    const [http, p2p] = await Promise.all([
      nodeTask(folder, [...flags, `--port=${port}`]),
      nodeTask(folder, ["--data=e", "--no-mdns", "--port=0", `--p2p-port=${port}`]),
    ]);
    listener.close();
    assert.equal(http.code, 2, http.text);
    assert.match(http.text, new RegExp(`Cannot listen on port ${port} .*in use`));
    assert.equal(p2p.code, 2, p2p.text);
    assert.match(p2p.text, new RegExp(`Cannot listen on p2p-port ${port} .*in use`));
  });
});
