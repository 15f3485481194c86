import assert from "node:assert/strict";
import { join } from "node:path";
import { SkyringError } from "../../../../shared/base/errors.ts";
import {
  type FolderInfo,
  holderOf,
  holdersIn,
  isHeld,
  lockFolder,
  tryLockFolder,
} from "../../../../server/disk/folder_lock.ts";

const lockModule = new URL("../../../../server/disk/folder_lock.ts", import.meta.url).href;

function info(name: string, pid = Deno.pid): FolderInfo {
  return {
    pid,
    bootId: "b".repeat(32),
    name,
    group: "skyring",
    id: "12D3KooWtest",
    http: "http://127.0.0.1:8080",
    p2p: ["/ip4/127.0.0.1/tcp/10090/p2p/12D3KooWtest"],
    line: null,
    startedAt: 1,
  };
}

async function withFolder(use: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "skyring-lock-" });
  try {
    await use(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("lockFolder() makes the folder private and refuses a second holder, by name", async () => {
  await withFolder(async (root) => {
    const folder = join(root, "a/node-1");
    const lock = await lockFolder(folder);
    await lock.publish(info("node-1"));
    assert.equal(((await Deno.stat(folder)).mode ?? 0) & 0o777, 0o700);
    await assert.rejects(lockFolder(folder), (error) => {
      assert.ok(error instanceof SkyringError && error.code === "locked");
      assert.match(error.message, /node node-1 \(pid \d+\) has it$/);
      return true;
    });
    assert.equal(await tryLockFolder(folder), undefined);
    assert.equal(await Deno.readTextFile(join(folder, "lock")), `${Deno.pid}\n`);
    await lock.release();
    await lock.release();
    const again = await lockFolder(folder);
    await again.release();
  });
});

Deno.test("holderOf() gives the holder while it lives, and nothing of stale info", async () => {
  await withFolder(async (root) => {
    const folder = join(root, "node-1");
    assert.equal(await holderOf(folder), undefined);
    const lock = await lockFolder(folder);
    assert.equal(await holderOf(folder), undefined);
    await lock.publish(info("node-1"));
    assert.deepEqual(await holderOf(folder), info("node-1"));
    await lock.release();
    await Deno.writeTextFile(join(folder, "node.json"), JSON.stringify(info("node-1")));
    assert.equal(await isHeld(folder), false);
    assert.equal(await holderOf(folder), undefined);
  });
});

Deno.test("holdersIn() lists live nodes in the order of their numbers", async () => {
  await withFolder(async (root) => {
    const locks = [];
    for (const name of ["node-10", "node-2", "node-1"]) {
      const lock = await lockFolder(join(root, name));
      await lock.publish(info(name));
      locks.push(lock);
    }
    await Deno.mkdir(join(root, "empty"));
    await Deno.writeTextFile(join(root, "file"), "");
    const names = (await holdersIn(root)).map(({ name }) => name);
    assert.deepEqual(names, ["node-1", "node-2", "node-10"]);
    for (const lock of locks) await lock.release();
    assert.deepEqual(await holdersIn(root), []);
    assert.deepEqual(await holdersIn(join(root, "nowhere")), []);
  });
});

Deno.test("holderOf() ignores node.json that is torn or of another shape", async () => {
  await withFolder(async (root) => {
    const lock = await lockFolder(root);
    for (const text of ['{"pid": 1', "[]", '{"pid":"x"}']) {
      await Deno.writeTextFile(join(root, "node.json"), text);
      assert.equal(await holderOf(root), undefined);
      assert.equal(await isHeld(root), true);
    }
    await lock.release();
  });
});

Deno.test("lockFolder() is freed by kill -9 of its holder", async () => {
  await withFolder(async (root) => {
    const code = `const { lockFolder } = await import(${JSON.stringify(lockModule)});
      const lock = await lockFolder(${JSON.stringify(root)});
      console.log("held"); await Deno.stdin.read(new Uint8Array(1)); await lock.release();`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", code],
      cwd: new URL("../../../..", import.meta.url),
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    assert.equal(new TextDecoder().decode(value).trim(), "held");
    assert.equal(await tryLockFolder(root), undefined);
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    await child.stdin.close().catch((error) => assert.ok(error instanceof Error));
    const lock = await lockFolder(root);
    await lock.release();
  });
});
