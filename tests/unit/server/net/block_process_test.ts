import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { MiB } from "../../../../shared/base/limits.ts";
import { createMemoryStore } from "../../../../shared/block/memory_store.ts";
import { createBlockDriver } from "../../../../server/net/block_driver.ts";
import { makeBlock } from "./made_block.ts";
import { until, withHosts } from "./test_hosts.ts";

const count = 24;

Deno.test("want() of a process killed in mid-block is unreachable, and nothing hangs", () =>
  withHosts(async (make) => {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        fileURLToPath(new URL("block_child.ts", import.meta.url)),
        `${count}`,
        `${MiB}`,
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    try {
      const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
      const address = (await reader.read()).value?.trim() ?? "";
      await reader.cancel();
      const { host } = await make();
      const store = createMemoryStore({ capacityBytes: MiB, now: Date.now });
      const driver = createBlockDriver({
        streams: host.streams,
        group: "test",
        store,
        public: false,
      });
      await host.start();
      const peer = await host.dial(address);
      const want = async (seed: number) => {
        const { cid } = makeBlock(MiB, seed);
        const outcome = await driver.want(peer, cid, { timeoutMs: 20_000 });
        if (outcome.ok) done += 1;
        return outcome;
      };
      let done = 0;
      const asked = Array.from({ length: 8 * count }, (_, index) => want(index % count));
      await until(() => done > 0, { what: "blocks are moving", withinMs: 15_000 });
      child.kill("SIGKILL");
      const killedMs = performance.now();
      const outcomes = await Promise.all(asked);
      assert.ok(performance.now() - killedMs < 5_000);
      const codes = new Set(outcomes.map((outcome) => outcome.ok ? "ok" : outcome.code));
      assert.deepEqual([...codes].toSorted(), ["ok", "unreachable"]);
      const bytes = outcomes.flatMap((outcome) => outcome.ok ? [outcome.bytes.length] : []);
      assert.ok(bytes.every((each) => each === MiB));
      assert.equal(driver.rating(peer).inFlight, 0);
      assert.deepEqual(await driver.want(peer, makeBlock(MiB, 1).cid, { timeoutMs: 500 }), {
        ok: false,
        code: "unreachable",
      });
      driver.stop();
    } finally {
      await child.stdin.close().catch(() => undefined);
      await child.status;
    }
  }));
