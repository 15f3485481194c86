import assert from "node:assert/strict";
import { join } from "node:path";
import { SkyringError } from "../../../shared/base/errors.ts";
import { resolveConfig } from "../../../server/config.ts";
import { lockFolder } from "../../../server/disk/folder_lock.ts";
import { isLoopback, takeSeat } from "../../../server/seat.ts";

function configOf(checkout: string, args: string[] = []) {
  return resolveConfig({
    args,
    environment: {},
    userFolder: checkout,
    checkout,
    readFile: () => undefined,
  });
}

async function withCheckout(use: (checkout: string) => Promise<void>): Promise<void> {
  const checkout = await Deno.makeTempDir({ prefix: "skyring-seat-" });
  try {
    await use(checkout);
  } finally {
    await Deno.remove(checkout, { recursive: true });
  }
}

Deno.test("takeSeat() gives a second node the next folder and the first one's address", async () => {
  await withCheckout(async (checkout) => {
    const first = await takeSeat(configOf(checkout), () => 1);
    assert.deepEqual([first.name, first.join], ["node-1", []]);
    assert.equal(first.lock.folder, join(checkout, "data/node-1"));
    const reached = "/ip4/127.0.0.1/tcp/10090/p2p/12D3KooWfirst";
    const waiting = takeSeat(configOf(checkout), () => 2);
    await first.lock.publish({ ...first.info, p2p: [reached] });
    const second = await waiting;
    assert.deepEqual([second.name, second.join], ["node-2", [reached]]);
    assert.notEqual(second.p2pPort, second.port);
    const stranger = await takeSeat(configOf(checkout, ["--group", "other"]), () => 3);
    assert.deepEqual([stranger.name, stranger.join], ["node-3", []]);
    for (const seat of [first, second, stranger]) await seat.lock.release();
    const again = await takeSeat(configOf(checkout), () => 4);
    assert.equal(again.name, "node-1");
    await again.lock.release();
  });
});

Deno.test("takeSeat() does not wait for a node that started later", async () => {
  await withCheckout(async (checkout) => {
    const later = await takeSeat(configOf(checkout), () => 9);
    const earlier = await takeSeat(configOf(checkout), () => 1);
    assert.deepEqual(earlier.join, []);
    await later.lock.release();
    await earlier.lock.release();
  });
});

Deno.test("takeSeat() refuses a port in use with its number, and frees the folder", async () => {
  await withCheckout(async (checkout) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    await assert.rejects(takeSeat(configOf(checkout, [`--port=${port}`]), () => 1), (error) => {
      assert.ok(error instanceof SkyringError && error.code === "bad_setting");
      return error.message === `Cannot listen on port ${port} of 127.0.0.1: the port is in use`;
    });
    listener.close();
    const lock = await lockFolder(join(checkout, "data/node-1"));
    await lock.release();
  });
});

Deno.test("takeSeat() refuses a data folder that another node has", async () => {
  await withCheckout(async (checkout) => {
    const lock = await lockFolder(join(checkout, "mine"));
    const config = configOf(checkout, ["--data", "mine"]);
    await assert.rejects(
      takeSeat(config, () => 1),
      (error) => error instanceof SkyringError && error.code === "locked",
    );
    await lock.release();
    const seat = await takeSeat(config, () => 1);
    assert.equal(seat.name, "mine");
    await seat.lock.release();
  });
});

Deno.test("takeSeat() makes secret and token only beyond loopback, and keeps them", async () => {
  await withCheckout(async (checkout) => {
    const local = await takeSeat(configOf(checkout), () => 1);
    assert.deepEqual([local.secrets, local.token, local.tokenMade], [undefined, undefined, false]);
    await local.lock.release();
    const open = await takeSeat(configOf(checkout, ["--host=0.0.0.0"]), () => 2);
    assert.ok(open.secrets?.[0] && open.token && open.tokenMade);
    await open.lock.release();
    const again = await takeSeat(configOf(checkout), () => 3);
    assert.deepEqual([again.secrets, again.token], [open.secrets, open.token]);
    assert.equal(again.tokenMade, false);
    await again.lock.release();
    const joining = configOf(checkout, ["--name=j", "--join=/ip4/10.0.0.1/tcp/1"]);
    const joiner = await takeSeat(joining, () => 4);
    assert.ok(joiner.secrets?.[0]);
    assert.equal(joiner.token, undefined);
    await joiner.lock.release();
  });
});

Deno.test("isLoopback() knows names, addresses and brackets", () => {
  for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"]) {
    assert.ok(isLoopback(host), host);
  }
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "localhost.evil", "127.0.0.1.evil", "1::1"]) {
    assert.ok(!isLoopback(host), host);
  }
});

Deno.test("takeSeat() takes no name that a node of a cluster beside it has", async () => {
  await withCheckout(async (checkout) => {
    const config = (name: string, data: string) =>
      configOf(checkout, ["--name", name, "--data", data]);
    const reached = (port: number) => [`/ip4/127.0.0.1/tcp/${port}/p2p/12D3KooWx`];
    const first = await takeSeat(config("node-1", "data/7000"), () => 1);
    await first.lock.publish({ ...first.info, p2p: reached(7001) });
    const second = await takeSeat(config("node-2", "data/7002"), () => 2);
    await second.lock.publish({ ...second.info, p2p: reached(7003) });
    const beside = await takeSeat(configOf(checkout), () => 3);
    assert.equal(beside.name, "node-3");
    assert.equal(beside.lock.folder, join(checkout, "data/node-3"));
    for (const seat of [first, second, beside]) await seat.lock.release();
  });
});
