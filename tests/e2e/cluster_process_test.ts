// Supervision with real processes: whatever ends the cluster, no node process is left.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freeBasePort, portFlags } from "./cluster_child.ts";
import { until } from "./until.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Processes start slowly beside others. */
const slow = { withinMs: 30_000 };

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
  const basePort = freeBasePort({ nodes: 4, from: 21_000 });
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--no-prompt", "--allow-net", "--allow-run"],
      ...["--allow-env=SKYRING_*", "--ignore-env", "--allow-read", `--allow-write=${folder}`],
      ...["tests/e2e/small_cluster.ts", ...portFlags(basePort), ...args],
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

async function ask(port: number, path = "/"): Promise<{ pid: number; join: string[] } | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return await response.json();
  } catch {
    return undefined; // nobody listens
  }
}

/** Whether anything answers on a port in time. */
async function answersIn(port: number, ms: number): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ms);
    const response = await fetch(`http://127.0.0.1:${port}/`, { signal });
    await response.body?.cancel();
    return true;
  } catch {
    return false;
  }
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
    pids.push((await until(`node on ${port}`, () => ask(port), slow)).pid);
  }
  return pids;
}

async function allGone(pids: readonly number[]): Promise<void> {
  await until("all processes gone", () => !pids.some(isAlive), slow);
}

Deno.test("cluster starts its nodes in order, names their lines, and stops all by SIGTERM", async () => {
  await withCluster(["--nodes", "3"], async (cluster) => {
    const pids = await pidsOf(cluster, 3);
    const { basePort, child } = cluster;
    assert.deepEqual((await ask(basePort))?.join, []);
    for (const port of [basePort + 2, basePort + 4]) {
      assert.deepEqual((await ask(port))?.join, [`http://127.0.0.1:${basePort}`]);
    }
    await until(
      "named lines",
      () => /^node-3 \| Skyring node node-3/m.test(cluster.output()),
      slow,
    );
    const pid = Number(/pid (\d+);/.exec(cluster.output())?.[1]);
    assert.equal(pid, child.pid);
    Deno.kill(pid, "SIGTERM");
    assert.equal((await child.status).code, 0);
    assert.ok(!pids.some(isAlive));
    const folders = [...Deno.readDirSync(cluster.folder)].map(({ name }) => name).sort();
    assert.deepEqual(folders, [...[0, 2, 4].map((offset) => String(basePort + offset)), "gateway"]);
  });
});

Deno.test("cluster leaves no orphan when it is killed with kill -9", async () => {
  await withCluster(["--nodes", "2"], async (cluster) => {
    const pids = await pidsOf(cluster, 2);
    // One of them hangs: it cannot find out by itself.
    await ask(cluster.basePort, "/hang");
    await until("that it hangs", () => answersIn(cluster.basePort, 500).then((did) => !did), slow);
    cluster.child.kill("SIGKILL");
    await cluster.child.status;
    await allGone(pids);
  });
});

Deno.test("cluster ends with its nodes when its parent is killed with kill -9", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skyring-cluster-" });
  const basePort = freeBasePort({ nodes: 4, from: 21_000 });
  const script = 'deno="$1"; shift; "$deno" "$@" & echo $!; wait';
  const program = ["run", "--quiet", "--no-check", "-A", "tests/e2e/small_cluster.ts"];
  const parent = new Deno.Command("sh", {
    args: ["-c", script, "sh", Deno.execPath(), ...program, ...portFlags(basePort), "--nodes=2"],
    cwd: root,
    env: { SKYRING_TEST_DATA: folder, SKYRING_CWD: folder },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const nodes: number[] = [];
  for (const port of [basePort, basePort + 2]) {
    nodes.push((await until(`node on ${port}`, () => ask(port), slow)).pid);
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
    }, slow);
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
      args: ["run", "--no-check", "-A", "tests/e2e/small_cluster.ts", ...portFlags(port - 1)],
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
      args: [...args, "--nodes=1", ...portFlags(cluster.basePort)],
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

interface Row {
  readonly name: string;
  readonly state: string;
  readonly pid: number | null;
  readonly port: number;
}

/** A request to the cluster's own routes on its gateway. */
async function manage(
  { basePort }: Running,
  method: string,
  path = "",
): Promise<{ status: number; body: Row & { items: Row[]; code: string } }> {
  const url = `http://127.0.0.1:${basePort + 60}/api/cluster/nodes${path}`;
  const response = await fetch(url, { method });
  const text = await response.text();
  return { status: response.status, body: text === "" ? {} : JSON.parse(text) };
}

function stateOf(pid: number): string {
  return /^State:\s+(\w)/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1] ?? "";
}

Deno.test("cluster nodes are added, paused, resumed, stopped, started and removed by API", async () => {
  await withCluster(["--nodes", "2"], async (cluster) => {
    const [first = 0, second = 0] = await pidsOf(cluster, 2);
    const { basePort } = cluster;
    const { body: { items } } = await manage(cluster, "GET");
    assert.deepEqual(items.map(({ name, state, pid, port }) => [name, state, pid, port]), [
      ["node-1", "running", first, basePort],
      ["node-2", "running", second, basePort + 2],
    ]);
    const added = await manage(cluster, "POST");
    assert.deepEqual([added.status, added.body.name, added.body.port], [
      201,
      "node-3",
      basePort + 4,
    ]);
    const third = await until("node-3", () => ask(basePort + 4), slow);
    assert.deepEqual(
      third.join,
      [`http://127.0.0.1:${basePort},http://127.0.0.1:${basePort + 2}`]
        .flatMap((list) => list.split(",")),
    );
    assert.equal((await manage(cluster, "POST", "/node-2/pause")).body.state, "paused");
    await until("a stopped process", () => stateOf(second) === "T", slow);
    assert.equal((await manage(cluster, "POST", "/node-2/pause")).status, 409);
    assert.equal((await manage(cluster, "POST", "/node-2/resume")).body.state, "running");
    await until("a running process", () => stateOf(second) !== "T", slow);
    const stopped = await manage(cluster, "POST", "/node-2/stop");
    assert.deepEqual([stopped.body.state, stopped.body.pid, isAlive(second)], [
      "ended",
      null,
      false,
    ]);
    assert.equal((await manage(cluster, "POST", "/node-2/stop")).status, 409);
    assert.equal((await manage(cluster, "POST", "/node-2/start")).status, 200);
    await until("node-2 again", () => ask(basePort + 2), slow);
    assert.equal((await manage(cluster, "POST", "/node-2/start")).status, 409);
    assert.equal((await manage(cluster, "DELETE", "/node-3")).status, 204);
    assert.equal(isAlive(third.pid), false);
    assert.equal((await manage(cluster, "GET", "/node-3")).status, 404);
    assert.equal((await manage(cluster, "POST", "/node-9/stop")).status, 404);
    const foreign = await fetch(`http://127.0.0.1:${basePort + 60}/api/cluster/nodes`, {
      ...{ method: "POST", headers: { origin: "http://evil.example" } },
    });
    assert.equal(foreign.status, 403);
    await foreign.body?.cancel();
  });
});

Deno.test("cluster is managed and found by the command line client through its gateway", async () => {
  await withCluster(["--nodes", "2"], async (cluster) => {
    await pidsOf(cluster, 2);
    const node = `http://127.0.0.1:${cluster.basePort + 60}`;
    const cli = async (...args: string[]) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--no-check", "-A", "server/cli/main.ts", ...args, "--node", node],
        cwd: root,
        stdin: "null",
      }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      return { code, out: text(stdout), err: text(stderr) };
    };
    const listed = await cli("cluster");
    assert.equal(listed.code, 0, listed.err);
    assert.match(listed.out, /^name +state .*\nnode-1 +running .*\nnode-2 +running /);
    assert.match((await cli("cluster", "pause", "node-2")).out, /^node-2 paused\n$/);
    assert.match((await cli("cluster", "resume", "node-2")).out, /^node-2 running\n$/);
    assert.match((await cli("cluster", "add")).out, /^node-3 (running|waiting)\n$/);
    assert.equal((await cli("cluster", "remove", "node-3")).code, 0);
    assert.equal((await cli("cluster", "stop", "node-7")).code, 3);
    assert.equal((await cli("cluster", "frob")).code, 2);
  });
});

Deno.test("cluster stopped with a paused node ends it, by SIGTERM and by kill -9", async () => {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    await withCluster(["--nodes", "2"], async (cluster) => {
      const pids = await pidsOf(cluster, 2);
      await manage(cluster, "POST", "/node-2/pause");
      // One stopped from outside, too.
      Deno.kill(pids[0] ?? 0, "SIGSTOP");
      cluster.child.kill(signal);
      await cluster.child.status;
      await allGone(pids);
    });
  }
});
