// Bytes through five real nodes: in through one, out of another, whatever dies meanwhile.

import assert from "node:assert/strict";
import { join } from "node:path";
import { bytesOf, digestOfBody, digestOfSeed, get, pushStream, put, store } from "./content.ts";
import { mixedPulls } from "./mixed_pulls.ts";
import { checkout, filePath } from "./node_child.ts";
import { NodePool } from "./node_pool.ts";
import { until } from "./until.ts";

const MiB = 2 ** 20;
/** For any size of file. */
const memoryMax = 300 * MiB;
const largeBytes = Number(Deno.env.get("SKYRING_E2E_LARGE_MIB") ?? 1_024) * MiB;
const refused = 422;

Deno.test("five nodes carry files", async (test) => {
  await NodePool.with({ nodes: 5 }, async (pool) => {
    const step = (name: string, run: (pool: NodePool) => Promise<void>) =>
      test.step({ name, fn: () => run(pool), sanitizeResources: false, sanitizeOps: false });
    await step("a large file goes in at one and out at another in bounded memory", largeFile);
    await step("clients of every temper get the file's bytes", everyTemper);
    await step("ranges and conditions", rangesAndConditions);
    await step("a body shorter than announced leaves the old version", shortBody);
    await step("bad names and unknown files get typed errors", badNames);
    await step("a real tree comes back byte for byte", realTree);
    await step("a pull survives the kill of a holder", killHolder);
    await step("a pull from a killed node breaks, and never ends cleanly", killAsked);
    await step("a pull fails loudly when all holders are gone", killAllHolders);
  });
});

async function largeFile(pool: NodePool): Promise<void> {
  const pushedAt = performance.now();
  const answer = await pushStream(pool.node(0), "large.bin", { seed: 1, size: largeBytes });
  const body = await answer.json();
  assert.equal(answer.status, 201, JSON.stringify(body));
  assert.equal(body.size, largeBytes);
  assert.equal(body.replicas.least, 3, JSON.stringify(body));
  const pulledAt = performance.now();
  const pulled = await fetch(pool.node(3).file("large.bin"));
  const got = await digestOfBody(pulled.body);
  const endedAt = performance.now();
  assert.deepEqual(got, { size: largeBytes, digest: digestOfSeed(1, largeBytes) });
  const rate = (ms: number) => `${(largeBytes / 1_000 / ms).toFixed(0)} MB/s`;
  const peaks = pool.nodes.map((node) => node.peakMemory());
  console.log(
    `  pushed ${rate(pulledAt - pushedAt)}, pulled ${rate(endedAt - pulledAt)}, peaks of memory`,
    peaks.map((peak) => Math.round(peak / MiB)).join(" "),
    "MiB",
  );
  for (const peak of peaks) assert.ok(peak < memoryMax, `peaks of memory: ${peaks}`);
}

async function everyTemper(pool: NodePool): Promise<void> {
  const file = { name: "mixed.bin", seed: 4, size: 24 * MiB };
  const pushed = await pool.node(0).request(`${filePath(file.name)}?replicas=1`, {
    method: "PUT",
    body: bytesOf(file.seed, file.size),
  });
  assert.equal(pushed.status, 201, await pushed.text());
  const { pulls } = await mixedPulls(pool.node(3), file, { clients: 12, forMs: 4_000 });
  assert.ok(pulls >= 12);
}

async function rangesAndConditions(pool: NodePool): Promise<void> {
  const size = 3 * MiB + 17;
  const bytes = bytesOf(2, size);
  const { answer } = await put(pool.node(1), "ranged.bin", { body: bytes });
  const url = pool.node(2).file("ranged.bin");
  for (
    const [range, from, to] of [
      ["bytes=0-0", 0, 1],
      ["bytes=262143-262144", 262_143, 262_145],
      ["bytes=-5", size - 5, size],
      [`bytes=${2 * MiB}-`, 2 * MiB, size],
    ] as const
  ) {
    const response = await fetch(url, { headers: { range } });
    assert.equal(response.status, 206, range);
    assert.equal(response.headers.get("content-range"), `bytes ${from}-${to - 1}/${size}`);
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), bytes.slice(from, to), range);
  }
  const beyond = await get(pool.node(2), "ranged.bin", { range: `bytes=${size}-` });
  assert.equal(beyond.status, 416);
  const etag = `"${answer.cid}"`;
  const head = await fetch(url, { method: "HEAD" });
  assert.equal(head.headers.get("etag"), etag);
  assert.equal(Number(head.headers.get("content-length")), size);
  assert.equal((await get(pool.node(4), "ranged.bin", { "if-none-match": etag })).status, 304);
  const changed = { range: "bytes=0-4", "if-range": '"bafkreiother"' };
  assert.equal((await get(pool.node(4), "ranged.bin", changed)).status, 200);
  const create = { body: "x", headers: { "if-none-match": "*" } };
  assert.equal((await put(pool.node(3), "ranged.bin", create)).status, 412);
  const replace = (match: string) => ({ body: "new", headers: { "if-match": match } });
  assert.equal((await put(pool.node(3), "ranged.bin", replace('"bafkreiother"'))).status, 412);
  assert.equal((await put(pool.node(3), "ranged.bin", replace(etag))).status, 200);
  assert.equal((await get(pool.node(0), "ranged.bin")).text, "new");
  assert.equal((await put(pool.node(1), "ranged.bin", replace(etag))).status, 412);
}

async function shortBody(pool: NodePool): Promise<void> {
  const node = pool.node(1);
  await store(node, "short.txt", "the old version");
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: node.options.port });
  const head = [
    "PUT /api/files/short.txt HTTP/1.1",
    `Host: 127.0.0.1:${node.options.port}`,
    "Content-Length: 1000000",
  ].join("\r\n") + "\r\n\r\n";
  await connection.write(new TextEncoder().encode(head));
  await connection.write(bytesOf(3, 400_000).subarray(0, 65_536));
  connection.close();
  for (const each of pool.nodes) {
    assert.equal((await get(each, "short.txt")).text, "the old version");
  }
}

async function badNames(pool: NodePool): Promise<void> {
  const node = pool.node(0);
  const unknown = await get(node, "no/such/file");
  assert.equal(unknown.status, 404);
  assert.match(unknown.headers.get("content-type") ?? "", /application\/problem\+json/);
  for (const name of ["a/%2E%2E/b", "a/%2e/b", "a%00b", "a%0Ab", "a//b", "x".repeat(1_025)]) {
    const { status, text } = await rawPut(node.options.port, `/api/files/${name}`);
    assert.equal(status, refused, `${name.slice(0, 20)}: ${text.slice(0, 200)}`);
  }
  const cid = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
  const from = await fetch(`${node.file("copy")}?from=${cid}`, { method: "PUT" });
  assert.ok([404, 504].includes(from.status), `${from.status} ${await from.text()}`);
  const wrong = await fetch(`${node.url}/api/blocks/nonsense`);
  assert.ok([400, 422].includes(wrong.status), `${wrong.status} ${await wrong.text()}`);
}

/** A PUT of one byte with the target exactly as it stands. */
async function rawPut(port: number, target: string): Promise<{ status: number; text: string }> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const head = `PUT ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n` +
    "Connection: close\r\nContent-Length: 1\r\n\r\nx";
  await connection.write(new TextEncoder().encode(head));
  const text = await new Response(connection.readable).text();
  return { status: Number(text.split(" ")[1]), text };
}

async function realTree(pool: NodePool): Promise<void> {
  const tree = join(pool.folder, "source");
  for (const folder of ["shared", "server", "web"]) {
    await copyTree(join(checkout, folder), join(tree, folder));
  }
  for (let index = 0; index < 100; index++) {
    const bytes = bytesOf(1_000 + index, index * 1_009);
    await Deno.writeFile(join(tree, `made ${index} ä#%.bin`), bytes);
  }
  await cli(pool, ["push", "-r", "source", "--quiet", "--node", pool.node(1).url]);
  const before = await contentOf(tree);
  // Lists come from the catalog, which follows a push by a moment on the other nodes.
  await until("the last file of the tree in another node's list", async () => {
    const page = await pool.node(4).json("/api/files?prefix=source/&limit=1000");
    return page.items.length === before.size;
  }, { withinMs: 15_000 });
  await cli(pool, ["pull", "-r", "source", "back", "--quiet", "--node", pool.node(4).url]);
  assert.ok(before.size > 300, `${before.size} files`);
  assert.deepEqual(await contentOf(join(pool.folder, "back")), before);
}

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory) await copyTree(source, target);
    else if (entry.isFile) await Deno.copyFile(source, target);
  }
}

/** Digests of all files below a folder by their path. */
async function contentOf(folder: string, prefix = ""): Promise<Map<string, string>> {
  const files: [string, string][] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) files.push(...await contentOf(path, `${prefix}${entry.name}/`));
    else files.push([prefix + entry.name, await digestOfFile(path)]);
  }
  return new Map(files.sort());
}

async function digestOfFile(path: string): Promise<string> {
  return (await digestOfBody((await Deno.open(path)).readable)).digest;
}

async function cli(pool: NodePool, args: readonly string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "-A", join(checkout, "server/cli/main.ts"), ...args],
    cwd: checkout,
    env: { SKYRING_CWD: pool.folder },
    stdin: "null",
  }).output();
  assert.equal(code, 0, `${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

async function killHolder(pool: NodePool): Promise<void> {
  const size = 200 * MiB;
  const answer = await pushStream(pool.node(0), "held.bin", { seed: 4, size });
  assert.equal(answer.status, 201, await answer.text());
  const victim = pool.node(2);
  const pulled = await fetch(pool.node(4).file("held.bin"));
  let killed: Promise<void> | undefined;
  const got = await digestOfBody(pulled.body, (total) => {
    if (total > size / 4) killed ??= victim.kill();
  });
  await killed;
  assert.deepEqual(got, { size, digest: digestOfSeed(4, size) });
  await victim.start();
  await pool.formed();
}

async function killAsked(pool: NodePool): Promise<void> {
  const asked = pool.node(3);
  const pulled = await fetch(asked.file("held.bin"));
  let killed: Promise<void> | undefined;
  await assert.rejects(digestOfBody(pulled.body, (total) => {
    if (total > 10 * MiB) killed ??= asked.kill();
  }));
  await killed;
  await asked.start();
  await pool.formed();
}

async function killAllHolders(pool: NodePool): Promise<void> {
  const size = 100 * MiB;
  const answer = await pushStream(pool.node(0), "lonely.bin", { seed: 5, size });
  assert.equal(answer.status, 201, await answer.text());
  const asked = pool.node(0);
  const pulled = await fetch(asked.file("lonely.bin"));
  const others = pool.nodes.filter((node) => node !== asked);
  let killed: Promise<unknown> | undefined;
  await assert.rejects(digestOfBody(pulled.body, (total) => {
    if (total > 5 * MiB) killed ??= Promise.all(others.map((node) => node.kill()));
  }));
  await killed;
  await Promise.all(others.map((node) => node.start()));
  await pool.formed();
  const again = await fetch(asked.file("lonely.bin"));
  assert.equal((await digestOfBody(again.body)).digest, digestOfSeed(5, size));
}
