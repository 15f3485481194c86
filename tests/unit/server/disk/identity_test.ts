import assert from "node:assert/strict";
import { join } from "node:path";
import { SkyringError } from "../../../../shared/base/errors.ts";
import { openIdentity, renewIdentity } from "../../../../server/disk/identity.ts";
import { ensureSecret, readSecret, writeSecret } from "../../../../server/disk/secret_file.ts";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skyring-identity-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function modeOf(path: string): Promise<number> {
  return ((await Deno.stat(path)).mode ?? 0) & 0o777;
}

Deno.test("openIdentity() keeps the key, counts starts and draws a boot id each time", async () => {
  await withFolder(async (folder) => {
    const first = await openIdentity(folder);
    const second = await openIdentity(folder);
    assert.deepEqual([first.boot, first.fresh, second.boot, second.fresh], [1, true, 2, false]);
    assert.equal(second.id, first.id);
    assert.ok(second.privateKey.equals(first.privateKey));
    assert.notEqual(second.bootId, first.bootId);
    assert.match(first.bootId, /^[0-9a-f]{32}$/);
    assert.match(first.id, /^12D3KooW/);
    assert.equal(await modeOf(join(folder, "identity")), 0o600);
  });
});

Deno.test("openIdentity() survives a crash that left a half-written file", async () => {
  await withFolder(async (folder) => {
    const first = await openIdentity(folder);
    await Deno.writeTextFile(join(folder, "identity.new"), '{"vers');
    const second = await openIdentity(folder);
    assert.deepEqual([second.id, second.boot], [first.id, 2]);
  });
});

Deno.test("renewIdentity() takes another key and begins to count anew", async () => {
  await withFolder(async (folder) => {
    const first = await openIdentity(folder);
    const renewed = await renewIdentity(folder);
    assert.notEqual(renewed.id, first.id);
    assert.deepEqual([renewed.boot, renewed.fresh], [1, true]);
    assert.equal((await openIdentity(folder)).id, renewed.id);
  });
});

Deno.test("openIdentity() refuses a damaged file and says what to do", async () => {
  await withFolder(async (folder) => {
    const first = await openIdentity(folder);
    const path = join(folder, "identity");
    const whole = JSON.parse(await Deno.readTextFile(path));
    const other = await renewIdentity(folder);
    assert.notEqual(other.id, first.id);
    const otherKey = JSON.parse(await Deno.readTextFile(path)).key;
    const damaged = ["", "{", "{}", JSON.stringify({ ...whole, key: "AAAA" })];
    damaged.push(
      JSON.stringify({ ...whole, boot: -1 }),
      JSON.stringify({ ...whole, key: otherKey }),
    );
    for (const text of damaged) {
      await Deno.writeTextFile(path, text);
      await assert.rejects(openIdentity(folder), (error) => {
        assert.ok(error instanceof SkyringError && error.code === "corrupt", String(error));
        return error.message.includes(path) && /backup/.test(error.message);
      });
      assert.equal(await Deno.readTextFile(path), text);
    }
  });
});

Deno.test("ensureSecret() makes a secret once, private to its owner", async () => {
  await withFolder(async (folder) => {
    assert.equal(await readSecret(folder, "secret"), undefined);
    const made = await ensureSecret(folder, "secret");
    assert.match(made.text, /^[A-Za-z0-9_-]{43}$/);
    assert.deepEqual(await ensureSecret(folder, "secret"), { text: made.text, made: false });
    assert.equal(await modeOf(join(folder, "secret")), 0o600);
    await writeSecret(folder, "token", "given");
    assert.equal(await readSecret(folder, "token"), "given");
    assert.notEqual(await readSecret(folder, "secret"), "given");
  });
});
