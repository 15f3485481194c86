// Who may belong: real processes with the right, a wrong and no secret, invite tokens, and copies
// of a data folder.

import assert from "node:assert/strict";
import { join } from "node:path";
import { protocolVersion } from "../../shared/base/version.ts";
import { rawSocket } from "../http/socket.ts";
import { get, put, store } from "./content.ts";
import { checkout, type NodeChild } from "./node_child.ts";
import { NodePool } from "./node_pool.ts";
import { waitFor } from "../../web/wait.ts";
import { until } from "./until.ts";

const strangerMs = 6_000;

Deno.test("who may belong to a group of real nodes", async (test) => {
  const flagsOf = (index: number) => index < 3 ? ["--secret=alpha"] : [];
  await NodePool.with({ nodes: 3, flagsOf }, async (pool) => {
    const step = (name: string, run: (pool: NodePool) => Promise<void>) =>
      test.step({ name, fn: () => run(pool), sanitizeResources: false, sanitizeOps: false });
    await store(pool.node(0), "private", "members only");
    await step("a node with a wrong secret, or none, never belongs", strangers);
    await step("an invite token lets a node in", invited);
    await step("a folder in use is refused to a second process", sameFolder);
    await step("a copied folder is noticed", copiedFolder);
    await step("a folder restored from a backup is noticed", restoredFolder);
    await step("a node of another version is told so, with both versions", otherVersion);
  });
});

Deno.test("a node without a secret upgrades no peer that came through a proxy", async () => {
  await NodePool.with({ nodes: 1 }, async (pool) => {
    const { port } = new URL(pool.node(0).url);
    const upgrade = async (host: string, more = "") => {
      const peer = await rawSocket(Number(port));
      peer.write(
        `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`,
      );
      peer.write("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n");
      peer.write(`${more}\r\n`);
      const head = await peer.until(/\r\n\r\n/);
      peer.socket.destroy();
      return head.slice(9, 12);
    };
    const own = `127.0.0.1:${port}`;
    assert.equal(await upgrade(own), "101");
    assert.equal(await upgrade(own, "X-Forwarded-For: 203.0.113.5\r\n"), "403");
    assert.equal(await upgrade(own, "Forwarded: for=203.0.113.5\r\n"), "403");
    assert.equal(await upgrade("pool.example"), "403");
  });
});

async function strangers(pool: NodePool): Promise<void> {
  const wrong = pool.add({ flags: ["--secret=beta"] });
  const without = pool.add();
  await Promise.all([wrong.start(), without.start()]);
  const deadline = performance.now() + strangerMs;
  while (performance.now() < deadline) {
    for (const member of pool.nodes.slice(0, 3)) {
      const { items } = await member.json("/api/nodes");
      assert.deepEqual(items.map((item: { name: string }) => item.name).toSorted(), [
        "n0",
        "n1",
        "n2",
      ]);
    }
    await waitFor(500);
  }
  for (const stranger of [wrong, without]) {
    pool.nodes.splice(pool.nodes.indexOf(stranger), 1);
  }
  for (const stranger of [wrong, without]) {
    const write = await put(stranger, "intruded", { body: "x" });
    assert.equal(write.status, 503, JSON.stringify(write.answer));
    const read = await get(stranger, "private");
    assert.ok([404, 503].includes(read.status), `${read.status} ${read.text}`);
    assert.deepEqual((await stranger.json("/api/files")).items ?? [], []);
    assert.equal((await stranger.request("/ready")).status, 503);
    assert.match(stranger.output(), /peer_refused/);
    await stranger.end();
  }
  assert.equal((await get(pool.node(1), "intruded")).status, 404);
  assert.match(pool.node(0).output() + pool.node(1).output(), /peer_refused/);
}

async function invited(pool: NodePool): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "-A", join(checkout, "server/cli/main.ts")],
      ...["invite", "--quiet", "--node", pool.node(1).url],
    ],
    cwd: checkout,
    env: { SKYRING_CWD: pool.folder },
    stdin: "null",
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const token = new TextDecoder().decode(stdout).match(/sky1[a-z0-9]+/)?.[0];
  assert.ok(token);
  const guest = pool.add({ name: "guest" });
  await guest.start([`--join=${token}`]);
  await pool.formed();
  assert.equal((await get(guest, "private")).text, "members only");
  await guest.stop();
  await guest.start();
  await pool.formed();
}

async function sameFolder(pool: NodePool): Promise<void> {
  const second = startOn(pool.node(0), pool.node(0).data);
  const { code, text } = await second;
  assert.equal(code, 2, text);
  assert.match(text, new RegExp(`Cannot use data folder .*pid ${pool.node(0).pid}`));
  assert.equal((await get(pool.node(0), "private")).status, 200);
}

async function copiedFolder(pool: NodePool): Promise<void> {
  const original = pool.node(2);
  await original.stop();
  const copy = join(pool.folder, "copy");
  await new Deno.Command("cp", { args: ["-r", original.data, copy] }).output();
  await original.start();
  await pool.formed();
  const second = startOn(original, copy, [`--join=${pool.node(0).url}`]);
  const ended = await Promise.race([second, firstEnd(original)]);
  assert.equal(ended.code, 1, ended.text);
  assert.match(ended.text, /runs with a copy of data folder \/\S+|copied/);
  assert.ok(ended.text.includes(copy) || ended.text.includes(original.data), ended.text);
  if (!original.running) await original.start();
  await pool.formed();
}

async function restoredFolder(pool: NodePool): Promise<void> {
  const node = pool.node(2);
  await node.stop();
  const backup = join(pool.folder, "backup");
  await new Deno.Command("cp", { args: ["-r", node.data, backup] }).output();
  await node.start();
  await pool.formed();
  const before = (await node.json("/api/status")).id;
  await store(node, "later", "promised after the backup");
  await node.stop();
  await Deno.remove(node.data, { recursive: true });
  await Deno.rename(backup, node.data);
  node.spawn();
  assert.equal(await node.ended(60_000), 1);
  assert.match(node.output(), /data folder \S+ was restored from a backup/);
  await node.start();
  const forgotten = pool.nodes.indexOf(node);
  const { id } = await node.json("/api/status");
  assert.notEqual(id, before, "a new identity");
  await until("its membership", async () => (await node.request("/ready")).status === 200, {
    withinMs: 60_000,
  });
  assert.equal((await get(node, "later")).text, "promised after the backup");
  assert.equal((await get(node, "private")).text, "members only");
  pool.nodes.splice(forgotten, 1);
  await node.end();
}

async function otherVersion(pool: NodePool): Promise<void> {
  const flags = ["--secret=alpha"];
  const later = pool.add({ name: "later", flags, entry: "tests/e2e/other_version_node.ts" });
  await later.start();
  pool.nodes.splice(pool.nodes.indexOf(later), 1);
  const next = protocolVersion + 1;
  try {
    await until(
      "both versions on both sides",
      () =>
        new RegExp(`speaks protocol ${protocolVersion} .*, this node ${next} .*2\\.0\\.0-test`)
          .test(later.output()) &&
        new RegExp(`speaks protocol ${next} .*2\\.0\\.0-test.*, this node ${protocolVersion} `)
          .test(pool.nodes.map((node) => node.output()).join("")),
    );
    const { items } = await pool.node(0).json("/api/nodes");
    assert.ok(!items.some(({ name }: { name: string }) => name === "later"));
    assert.equal((await later.request("/ready")).status, 503);
  } finally {
    await later.end();
  }
}

/** Runs a node on a folder until it ends by itself. */
async function startOn(
  like: NodeChild,
  data: string,
  more: readonly string[] = [],
): Promise<{ code: number; text: string }> {
  const args = ["--name=second", `--data=${data}`, "--port=0", "--p2p-port=0", "--no-mdns"];
  const group = like.options.flags.filter((flag) => /^--(?:group|secret|zone)=/.test(flag));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "-A", "server/main.ts", ...args, ...group, ...more],
    cwd: checkout,
    env: { SKYRING_CWD: like.options.folder, SKYRING_SUPERVISED: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const limit = setTimeout(() => child.kill("SIGKILL"), 30_000);
  const text = (await Promise.all(
    [child.stdout, child.stderr].map((stream) => new Response(stream).text()),
  )).join("");
  clearTimeout(limit);
  await child.stdin.close().catch(() => undefined); // its reader is gone
  return { code: (await child.status).code, text };
}

/** The end of a node that ends by itself. */
async function firstEnd(node: NodeChild): Promise<{ code: number; text: string }> {
  const code = await node.ended(60_000);
  return { code, text: node.output() };
}
