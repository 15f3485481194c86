// A node as a process: what it refuses, what it prints, how it ends, and who finds it.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { holderOf, isHeld } from "../../server/disk/folder_lock.ts";
import { nodeRights } from "../../server/permissions.ts";
import { until } from "./until.ts";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

function nodeCommand(folder: string, args: string[]): Deno.Command {
  const rights = nodeRights({ read: [root, folder], write: [join(root, "data"), folder] });
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", ...rights, "tests/e2e/small_node.ts", ...args],
    cwd: root,
    env: { SKYRING_CWD: folder },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

interface Node {
  readonly child: Deno.ChildProcess;
  output(): string;
}

/** Runs a small node until it said that it runs, hands it over, and sees to its end. */
async function withNode(
  args: string[],
  use: (node: Node, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skyring-node-" });
  const child = nodeCommand(folder, ["--data=d", "--port=0", "--p2p-port=0", ...args]).spawn();
  let text = "";
  const reading = [child.stdout, child.stderr].map(async (stream) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) text += part;
  });
  try {
    await until("its welcome", () => /dashboard/.test(text), { detail: () => text });
    await use({ child, output: () => text }, folder);
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // Ended by the test.
    }
    await child.status;
    await Promise.all(reading);
    await Deno.remove(folder, { recursive: true });
  }
}

async function refusal(args: string[]): Promise<{ code: number; err: string }> {
  const folder = await Deno.makeTempDir({ prefix: "skyring-node-" });
  const { code, stderr } = await nodeCommand(folder, args).output();
  await Deno.remove(folder, { recursive: true });
  return { code, err: new TextDecoder().decode(stderr) };
}

Deno.test("node says how to reach it, is found, and ends by SIGTERM", async () => {
  await withNode([], async ({ child, output }, folder) => {
    const data = join(folder, "d");
    await until("its lock", async () => (await holderOf(data))?.http !== null);
    const holder = await holderOf(data);
    assert.equal(holder?.pid, child.pid);
    assert.ok(output().includes(`dashboard  ${holder?.http}/`), output());
    assert.ok(output().includes(`p2p        ${holder?.p2p[0]}`) && output().includes(data));
    child.kill("SIGTERM");
    assert.equal((await child.status).code, 0);
    assert.equal(await isHeld(data), false);
    await assert.rejects(Deno.stat(join(data, "node.json")), Deno.errors.NotFound);
  });
});

Deno.test("node refuses a data folder that another one has, and gets it after kill -9", async () => {
  await withNode([], async ({ child }, folder) => {
    const second = await nodeCommand(folder, ["--data=d", "--port=0"]).output();
    assert.equal(second.code, 2);
    const text = new TextDecoder().decode(second.stderr);
    assert.match(
      text,
      new RegExp(`Cannot use data folder .*: node d \\(pid ${child.pid}\\) has it`),
    );
    child.kill("SIGKILL");
    await child.status;
    assert.equal(await isHeld(join(folder, "d")), false);
  });
});

Deno.test("node refuses bad settings with exit code 2 and the reason", async () => {
  const bad = await refusal(["--replicas", "12"]);
  assert.equal(bad.code, 2);
  assert.match(bad.err, /^skyring: Cannot use replicas "12" from the command line: allowed is/);
  assert.match((await refusal(["--prot=1"])).err, /did you mean --port\?/);
});

Deno.test("node refuses a folder outside its rights, with the line that allows it", async () => {
  const { code, err } = await refusal(["--data", "/nowhere/a b", "--port=0"]);
  assert.equal(code, 2);
  assert.match(err, /Cannot use data folder \/nowhere\/a b: this process may not write there/);
  const line = err.split("\n").find((each) => each.startsWith("deno run ")) ?? "";
  assert.ok(line.includes(`'--allow-read=${root},/nowhere/a b'`), line);
  assert.ok(line.endsWith(`${root}/server/main.ts --data '/nowhere/a b' --port=0`), line);
  const file = await refusal(["--secret-file=/etc/hostname"]);
  assert.match(file.err, /Cannot read \/etc\/hostname: this process may not. This line allows it/);
});

Deno.test("node prints a token once beyond loopback, and never the secret", async () => {
  await withNode(["--host=0.0.0.0"], async ({ output }, folder) => {
    const token = (await Deno.readTextFile(join(folder, "d/token"))).trim();
    const secret = (await Deno.readTextFile(join(folder, "d/secret"))).trim();
    assert.ok(output().includes(`token      ${token}  (shown once`), output());
    assert.ok(!output().includes(secret));
  });
});

Deno.test("the node task in deno.json gives the same rights as nodeRights()", async () => {
  const config = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  // Before it the task bundles the tab's scripts, with rights of its own.
  const command: string = config.tasks.node.command.split("&&").at(-1);
  for (const right of nodeRights({ read: ["."], write: ["data"] })) {
    assert.ok(command.includes(right), `${right} in ${command}`);
  }
  assert.ok(command.includes('--allow-read=.,"$INIT_CWD"'), command);
  assert.ok(command.includes('--allow-write=data,"$INIT_CWD"'), command);
  assert.ok(!/-A|--allow-all|--allow-run|--allow-ffi/.test(command));
});
