// Supervision with real processes: whatever ends the cluster, no node process is left.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

interface Running {
  readonly basePort: number;
  readonly folder: string;
  readonly child: Deno.ChildProcess;
  /** All that was printed so far. */
  output(): string;
}

async function withCluster(
  args: string[],
  use: (cluster: Running) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skyring-cluster-" });
  const basePort = freeBase();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--no-prompt", "--allow-net", "--allow-run"],
      ...["--allow-env=SKYRING_*", "--ignore-env", "--allow-read", `--allow-write=${folder}`],
      ...["tests/e2e/small_cluster.ts", `--base-port=${basePort}`, ...args],
    ],
    cwd: root,
    env: { SKYRING_TEST_DATA: folder, SKYRING_CWD: folder },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let text = "";
  const reading = [child.stdout, child.stderr].map(async (stream) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) text += part;
  });
  try {
    await use({ basePort, folder, child, output: () => text });
  } finally {
    try {
      child.kill("SIGTERM");
    } catch {
      // Ended by the test.
    }
    await child.status;
    await Promise.all(reading);
    await Deno.remove(folder, { recursive: true });
  }
}

/** A port below which nothing listens: base + 0..9 and base + 100..104 are free. */
function freeBase(): number {
  for (let base = 21_000 + Math.floor(Math.random() * 300) * 100;; base += 200) {
    try {
      for (const offset of [0, 1, 2, 3, 4, 5, 100, 101, 102]) {
        Deno.listen({ hostname: "127.0.0.1", port: base + offset }).close();
      }
      return base;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

async function ask(port: number, path = "/"): Promise<{ pid: number; join: string[] } | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return await response.json();
  } catch {
    return undefined; // nobody listens
  }
}

async function until<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = performance.now() + 30_000;
  while (performance.now() < deadline) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Cannot see ${what}: 30 s passed`);
}

function isAlive(pid: number): boolean {
  try {
    // A dead orphan may stay as a zombie.
    return !/^State:\s+[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

async function pidsOf({ basePort }: Running, count: number): Promise<number[]> {
  const pids: number[] = [];
  for (let index = 0; index < count; index++) {
    const port = basePort + 2 * index;
    pids.push((await until(`node on ${port}`, () => ask(port))).pid);
  }
  return pids;
}

async function allGone(pids: readonly number[]): Promise<void> {
  await until("all processes gone", () => pids.some(isAlive) ? undefined : true);
}

Deno.test("cluster starts its nodes in order, names their lines, and stops all by SIGTERM", async () => {
  await withCluster(["--nodes", "3"], async (cluster) => {
    const pids = await pidsOf(cluster, 3);
    const { basePort, child } = cluster;
    assert.deepEqual((await ask(basePort))?.join, []);
    for (const port of [basePort + 2, basePort + 4]) {
      assert.deepEqual((await ask(port))?.join, [`http://127.0.0.1:${basePort}`]);
    }
    await until("named lines", () => /^node-3 \| Skyring node node-3/m.test(cluster.output()));
    const pid = Number(/pid (\d+);/.exec(cluster.output())?.[1]);
    assert.equal(pid, child.pid);
    Deno.kill(pid, "SIGTERM");
    assert.equal((await child.status).code, 0);
    assert.ok(!pids.some(isAlive));
    const folders = [...Deno.readDirSync(cluster.folder)].map(({ name }) => name).sort();
    assert.deepEqual(folders, [0, 2, 4].map((offset) => String(basePort + offset)));
  });
});

Deno.test("cluster leaves no orphan when it is killed with kill -9", async () => {
  await withCluster(["--nodes", "2"], async (cluster) => {
    const pids = await pidsOf(cluster, 2);
    cluster.child.kill("SIGKILL");
    await cluster.child.status;
    await allGone(pids);
  });
});

Deno.test("cluster ends with its nodes when its parent is killed with kill -9", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skyring-cluster-" });
  const basePort = freeBase();
  const script = 'deno="$1"; shift; "$deno" "$@" & echo $!; wait';
  const program = ["run", "--quiet", "--no-check", "-A", "tests/e2e/small_cluster.ts"];
  const parent = new Deno.Command("sh", {
    args: ["-c", script, "sh", Deno.execPath(), ...program, `--base-port=${basePort}`, "--nodes=2"],
    cwd: root,
    env: { SKYRING_TEST_DATA: folder, SKYRING_CWD: folder },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const nodes: number[] = [];
  for (const port of [basePort, basePort + 2]) {
    nodes.push((await until(`node on ${port}`, () => ask(port))).pid);
  }
  parent.kill("SIGKILL");
  await parent.status;
  await allGone(nodes);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("cluster starts a dead node again, which joins, but not one that left", async () => {
  await withCluster(["--nodes", "2"], async (cluster) => {
    const [first, second] = await pidsOf(cluster, 2);
    const { basePort } = cluster;
    await ask(basePort, "/die");
    const again = await until("another pid", async () => {
      const node = await ask(basePort);
      return node && node.pid !== first ? node : undefined;
    });
    assert.deepEqual(again.join, [`http://127.0.0.1:${basePort + 2}`]);
    assert.match(cluster.output(), /node-1 \| exited with 7; starts again in 1 s/);
    await ask(basePort + 2, "/leave");
    await allGone([second ?? 0]);
    await ask(basePort, "/leave");
    assert.equal((await cluster.child.status).code, 0);
    assert.equal(await ask(basePort + 2), undefined);
  });
});

Deno.test("cluster refuses a port in use by its number before anything starts", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const folder = await Deno.makeTempDir({ prefix: "skyring-cluster-" });
  try {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "-A", "tests/e2e/small_cluster.ts", `--base-port=${port - 1}`],
      cwd: root,
      env: { SKYRING_TEST_DATA: folder, SKYRING_CWD: folder },
    }).output();
    assert.equal(code, 1);
    const text = new TextDecoder().decode(stderr);
    assert.match(text, new RegExp(`Cannot start cluster: ports? .*\\b${port}\\b.* in use`));
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  } finally {
    listener.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("cluster --wipe begins with empty folders", async () => {
  await withCluster(["--nodes", "1"], async (cluster) => {
    await pidsOf(cluster, 1);
    const kept = join(cluster.folder, String(cluster.basePort), "kept");
    await Deno.writeTextFile(kept, "x");
    cluster.child.kill("SIGINT");
    assert.equal((await cluster.child.status).code, 0);
    const args = ["run", "--no-check", "-A", "tests/e2e/small_cluster.ts", "--wipe"];
    const wiping = new Deno.Command(Deno.execPath(), {
      args: [...args, "--nodes=1", `--base-port=${cluster.basePort}`],
      cwd: root,
      env: { SKYRING_TEST_DATA: cluster.folder, SKYRING_CWD: cluster.folder },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await pidsOf(cluster, 1);
    await assert.rejects(Deno.stat(kept), Deno.errors.NotFound);
    wiping.kill("SIGTERM");
    await wiping.status;
  });
});
