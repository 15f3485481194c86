// Nodes without room: a capacity that is used up, and a disk that really is full. New files are
// refused with 507, nothing stored is lost, and the node goes on.

import assert from "node:assert/strict";
import { needing } from "../gate/needs.ts";
import { bytesOf, digestOfBody, digestOfSeed, put } from "./content.ts";
import type { NodeChild } from "./node_child.ts";
import { NodePool } from "./node_pool.ts";
import { until } from "./until.ts";

const MiB = 2 ** 20;
const fileBytes = 4 * MiB;

/** Pushes files until one is refused. @returns how many went in */
async function fill(node: NodeChild): Promise<number> {
  for (let index = 0; index < 100; index++) {
    const { status, answer } = await put(node, `fill/${index}`, {
      body: bytesOf(index, fileBytes),
    });
    if (status === 201) continue;
    assert.equal(status, 507, JSON.stringify(answer));
    assert.match(answer.type ?? answer.code, /full|space|capacity/, JSON.stringify(answer));
    return index;
  }
  throw new Error("Cannot fill the node: all of 400 MiB went in");
}

async function allThere(node: NodeChild, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const response = await node.request(`/api/files/fill/${index}`);
    const { digest } = await digestOfBody(response.body);
    assert.equal(digest, digestOfSeed(index, fileBytes), `fill/${index}`);
  }
  const gone = await node.request(`/api/files/fill/${count}`);
  assert.equal(gone.status, 404, await gone.text());
}

Deno.test("a node at its capacity refuses files with 507 and keeps what it has", async () => {
  await NodePool.with({ nodes: 1, flags: ["--capacity=32MiB"] }, async (pool) => {
    const node = pool.node(0);
    const count = await fill(node);
    assert.ok(count >= 6 && count <= 8, `${count} files of 4 MiB in 32 MiB`);
    await allThere(node, count);
    await node.kill();
    await node.start();
    await pool.formed();
    await allThere(node, count);
  });
});

Deno.test({
  ...needing(["mount"], "a node whose disk is full goes on reading, and writes when there is room"),
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "skyring-small-disk-" });
    await command("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", folder]);
    try {
      await NodePool.with({ nodes: 1, folder }, async (pool) => {
        const node = pool.node(0);
        const count = 4;
        for (let index = 0; index < count; index++) {
          const body = bytesOf(index, fileBytes);
          assert.equal((await put(node, `fill/${index}`, { body })).status, 201);
        }
        const replace = async () => {
          const { status } = await put(node, "fill/0", { body: bytesOf(0, 1_000) });
          assert.ok(status < 300 || [503, 507].includes(status), `${status}`);
          return status < 300;
        };
        // Something else takes the rest of the disk, and the reserve as soon as it is given up.
        await until("that nothing can be written", async () => {
          await takeAll(`${folder}/other`);
          const removed = await node.request("/api/files/fill/0", { method: "DELETE" });
          await removed.body?.cancel();
          return removed.status >= 500;
        });
        assert.equal(await replace(), false);
        await reads(node, count);
        await Deno.remove(`${folder}/other`);
        await until("that it writes again", replace);
        // Filled by others while it was down: it starts all the same.
        await node.kill();
        await takeAll(`${folder}/other`);
        await node.start();
        await pool.formed();
        await reads(node, count);
      });
    } finally {
      await command("umount", [folder]);
      await Deno.remove(folder);
    }
  },
});

/** All files but the first. */
async function reads(node: NodeChild, count: number): Promise<void> {
  for (let index = 1; index < count; index++) {
    const response = await node.request(`/api/files/fill/${index}`);
    const { digest } = await digestOfBody(response.body);
    assert.equal(digest, digestOfSeed(index, fileBytes), `fill/${index}`);
  }
}

async function takeAll(path: string): Promise<void> {
  const file = await Deno.open(path, { append: true, create: true });
  const part = new Uint8Array(65_536);
  try {
    while (true) await file.write(part);
  } catch (error) {
    assert.match(String(error), /No space|os error 28/);
  } finally {
    file.close();
  }
}

async function command(program: string, args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(program, { args }).output();
  assert.equal(code, 0, `${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
