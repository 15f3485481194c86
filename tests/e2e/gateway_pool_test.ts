// The gateway and the line protocol over real nodes: a node killed under downloads, shell scripts
// with netcat, and files far larger than memory.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { needing } from "../gate/needs.ts";
import { bytesOf, digestOfBody, digestOfSeed, partsOf } from "./content.ts";
import { peakMemoryOf, withGateway } from "./gateway_child.ts";
import { freePort, NodePool } from "./node_pool.ts";
import { waitFor } from "../../web/wait.ts";
import { until } from "./until.ts";

const mebibyte = 2 ** 20;
const memoryMax = 300 * mebibyte;
const largeBytes = Number(Deno.env.get("SKYRING_TEST_LINE_BYTES") ?? 512 * mebibyte);

Deno.test("downloads through the gateway outlive the node that serves them", async () => {
  await NodePool.with({ nodes: 3 }, async (pool) => {
    await withGateway(pool, async (gateway) => {
      const size = 40 * mebibyte;
      const file = `${gateway.url}/api/files/a%20b/film.bin`;
      const put = await fetch(file, { method: "PUT", body: ReadableStream.from(partsOf(5, size)) });
      assert.equal(put.status, 201, await put.text());
      const digest = digestOfSeed(5, size);
      await until("a gateway that knows all nodes", async () => {
        const seen = await (await fetch(`${gateway.url}/api/nodes`)).json();
        return seen.items.length === 3;
      });
      await waitFor(1_500); // one more poll, so that all of them take part
      // As many as there are nodes, twice: each node serves some of them.
      const all = await downloadWhile(file, { count: 6, strike: () => pool.node(1).kill() });
      for (const done of all) assert.deepEqual(done, { size, digest });
      assert.match(gateway.output(), /gateway_goes_on/);
      const after = await digestOfBody((await fetch(file)).body);
      assert.deepEqual(after, { size, digest });
      const small = await fetch(`${gateway.url}/api/files/s`, { method: "PUT", body: "after" });
      assert.equal(small.status, 201, await small.text());
      // A node that hangs closes no connection: it is given up after a few polls.
      const strike = () => Promise.resolve(pool.node(2).signal("SIGSTOP"));
      const hung = await downloadWhile(file, { count: 4, strike });
      for (const done of hung) assert.deepEqual(done, { size, digest });
    });
  });
});

/** Downloads a file several times at once, and strikes when all are in the middle of it. */
async function downloadWhile(
  url: string,
  { count, strike }: { readonly count: number; readonly strike: () => Promise<void> },
): Promise<{ size: number; digest: string }[]> {
  let halfway = 0;
  const struck = Promise.withResolvers<void>();
  const downloads = Array.from({ length: count }, async () => {
    const response = await fetch(url);
    assert.equal(response.status, 200);
    const hash = createHash("sha256");
    let size = 0;
    let counted = false;
    for await (const part of response.body ?? []) {
      hash.update(part);
      size += part.length;
      if (size < 4 * mebibyte || counted) continue;
      counted = true;
      halfway += 1;
      await struck.promise;
    }
    return { size, digest: hash.digest("hex") };
  });
  await until("all downloads under way", () => halfway === count);
  await strike();
  struck.resolve();
  return await Promise.all(downloads);
}

interface Talk {
  readonly port: number;
  readonly input: Uint8Array;
}

/** What `nc -q 0` prints for an input. */
async function netcat({ port, input }: Talk): Promise<Uint8Array> {
  const child = new Deno.Command("nc", {
    args: ["-q", "0", "127.0.0.1", String(port)],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(input);
  await writer.close();
  return (await child.output()).stdout;
}

Deno.test({
  ...needing(["nc"], "shell scripts drive a node and the gateway with nc -q 0"),
  fn: async () => {
    const linePorts = [freePort(), freePort(), freePort()];
    const flagsOf = (index: number) => [`--line-port=${linePorts[index]}`];
    await NodePool.with({ nodes: 3, flagsOf }, async (pool) => {
      await withGateway(pool, async (gateway) => {
        for (const port of [linePorts[0] ?? 0, gateway.linePort]) {
          await scriptOver({ port, linePorts });
        }
      });
    });
  },
});

async function scriptOver(
  { port, linePorts }: { readonly port: number; readonly linePorts: readonly number[] },
): Promise<void> {
  const say = async (...parts: (string | Uint8Array<ArrayBuffer>)[]) => {
    const encoded = parts.map((part) => {
      return typeof part === "string" ? new TextEncoder().encode(part) : part;
    });
    return await netcat({ port, input: new Uint8Array(await new Blob(encoded).arrayBuffer()) });
  };
  const text = async (...parts: (string | Uint8Array<ArrayBuffer>)[]) => {
    return new TextDecoder().decode(await say(...parts));
  };
  const bytes = bytesOf(7, 3_000_001);
  const sorted = [...linePorts].sort((left, right) => left - right);
  const all = sorted.map((each) => `${each}=Alive\n`).join("");
  assert.equal(await text("NODE PING\n"), "PONG\n");
  assert.equal(await text("netmap get\r\nNETMAP DISCOVER\r\n"), `${all}OK\nOK\n`);
  assert.match(await text("NODE STATUS\n"), /^PORT 127\.0\.0\.1:\d+\nNEXT 127\.0\.0\.1:\d+\nOK\n$/);
  const walk = await text("TOPOLOGY WALK\n");
  assert.match(walk, /^(\d+)->(\d+)\n\2->(\d+)\n\3->\1\nOK\n$/);
  assert.equal(
    await text("FILE PUSH 3000001 a b.bin\n", bytes, "FILE PUSH 2 x,y\nhi"),
    "FILE 3000001 bytes split into 12 chunks and distributed\nOK\n" +
      "FILE 2 bytes split into 1 chunks and distributed\nOK\n",
  );
  assert.deepEqual(await say("FILE PULL a b.bin\n"), bytes);
  const list = await text("FILE LIST\n");
  assert.match(list, /^name,start,size\na b\.bin,\d+,3000001\n"x,y",\d+,2\n$/);
  assert.ok(linePorts.includes(Number(/b\.bin,(\d+),/.exec(list)?.[1])), list);
  assert.match(
    await text("FILE STAT a b.bin\n"),
    /^CID bafy\w+\nSIZE 3000001\nREPLICAS 3\/3\nOK\n$/,
  );
  assert.equal(await text("NODE HEAL\n"), "OK network healed\n");
  assert.equal(
    await text("FILE DELETE a b.bin\nFILE DELETE x,y\nFILE DELETE x,y\nFILE PULL x,y\n"),
    "OK\nOK\nERR file not found\nERR file not found\n",
  );
  assert.match(
    await text("FILE PUSH 99999999999999 big\n"),
    /^ERR file size is too large \(99999999999999 > \d+\)\n$/,
  );
}

Deno.test("a file far larger than memory goes in and out by the line protocol", async () => {
  const linePort = freePort();
  const flags = [`--line-port=${linePort}`, `--capacity=${2 * largeBytes + 256 * mebibyte}`];
  await NodePool.with({ nodes: 1, flags }, async (pool) => {
    await withGateway(pool, async (gateway) => {
      const digest = digestOfSeed(9, largeBytes);
      const said = await pushLine(linePort, { name: "in", seed: 9 });
      assert.match(said, /^FILE \d+ bytes split into \d+ chunks and distributed\nOK\n$/);
      assert.equal(await pullLine(linePort, "in"), digest);
      assert.equal(await pullLine(gateway.linePort, "in"), digest);
      const again = await pushLine(gateway.linePort, { name: "again", seed: 9 });
      assert.match(again, /\nOK\n$/, gateway.output());
      for (
        const [who, bytes] of [["node", pool.node(0).peakMemory()], [
          "gateway",
          peakMemoryOf(gateway.pid),
        ]] as const
      ) {
        console.log(`  ${who}: ${Math.round(bytes / mebibyte)} MiB at most`);
        assert.ok(bytes < memoryMax, `the ${who} took ${bytes} bytes of memory`);
      }
    });
  });
});

function pushLine(
  port: number,
  file: { readonly name: string; readonly seed: number },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    let text = "";
    socket.on("data", (bytes) => text += bytes.toString());
    socket.on("end", () => {
      socket.destroy();
      resolve(text);
    });
    socket.on("error", reject);
    void (async () => {
      socket.write(`FILE PUSH ${largeBytes} ${file.name}\n`);
      for (const part of partsOf(file.seed, largeBytes)) {
        if (!socket.write(part)) await new Promise((drained) => socket.once("drain", drained));
      }
      socket.end();
    })();
  });
}

function pullLine(port: number, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    const hash = createHash("sha256");
    socket.on("data", (bytes) => hash.update(bytes));
    socket.on("end", () => {
      socket.destroy();
      resolve(hash.digest("hex"));
    });
    socket.on("error", reject);
    socket.end(`FILE PULL ${name}\n`);
  });
}
