import assert from "node:assert/strict";
import { planCluster, requireFreePorts } from "../../../../server/cluster/cluster_plan.ts";
import { createLineStream } from "../../../../server/cluster/line_stream.ts";

Deno.test("planCluster() gives each node the documented ports and folder", () => {
  const plan = planCluster(["--nodes", "3", "--base-port=9000", "--wipe", "--replicas", "2"], "/d");
  assert.deepEqual(plan.nodes.map(({ port, p2pPort, linePort }) => [port, p2pPort, linePort]), [
    [9000, 9001, 9100],
    [9002, 9003, 9101],
    [9004, 9005, 9102],
  ]);
  assert.equal(plan.nodes[1]?.folder, "/d/9002");
  assert.deepEqual([plan.wipe, plan.nodeArgs], [true, ["--replicas", "2"]]);
  const usual = planCluster([], "/d");
  assert.deepEqual([usual.nodes.length, usual.nodes[0]?.port, usual.wipe], [5, 7000, false]);
});

Deno.test("planCluster() never gives one port twice, at its largest", () => {
  const { nodes } = planCluster(["--nodes=50"], "/d");
  const ports = nodes.flatMap(({ port, p2pPort, linePort }) => [port, p2pPort, linePort]);
  assert.equal(new Set(ports).size, 150);
});

Deno.test("planCluster() refuses bad numbers and flags of a single node", () => {
  for (const args of [["--nodes", "51"], ["--nodes=0"], ["--base-port=x"], ["--base-port"]]) {
    assert.throws(() => planCluster(args, "/d"), /Cannot use (nodes|base-port)/);
  }
  for (const flag of ["--name=a", "--port", "--p2p-port=1", "--data=x", "--edge"]) {
    assert.throws(() => planCluster([flag, "1"], "/d"), /gives each node its own/);
  }
});

/** A free port whose gateway line port is free too. */
function gatewayPair(): number {
  for (let port = 40_000;; port += 7) {
    try {
      for (const each of [port, port + 100]) {
        Deno.listen({ hostname: "127.0.0.1", port: each }).close();
      }
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

Deno.test("planCluster() keeps the gateway off the nodes' ports", () => {
  assert.equal(planCluster([], "/d").gatewayPort, 8_000);
  assert.equal(planCluster(["--gateway-port", "9000"], "/d").gatewayPort, 9_000);
  for (const port of ["7003", "7104", "6904", "6900"]) {
    assert.throws(() => planCluster([`--gateway-port=${port}`], "/d"), /would be used twice/);
  }
});

Deno.test("requireFreePorts() names every port in use", () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const node = { name: "n", port, p2pPort: 0, linePort: 0, folder: "/d" };
  const plan = { nodes: [node], gatewayPort: gatewayPair() };
  assert.throws(() => requireFreePorts(plan, "127.0.0.1"), new RegExp(`port ${port} is in use`));
  listener.close();
  requireFreePorts(plan, "127.0.0.1");
});

Deno.test("createLineStream() gives whole lines whatever the cuts, and cuts endless ones", async () => {
  const bytes = new TextEncoder().encode("one\r\ntwö\n\nlast");
  for (const size of [1, 2, 3, 100]) {
    const parts = ReadableStream.from(
      Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => {
        return bytes.slice(index * size, (index + 1) * size);
      }),
    );
    const lines = await Array.fromAsync(parts.pipeThrough(createLineStream()));
    assert.deepEqual(lines, ["one", "twö", "", "last"], `in parts of ${size}`);
  }
  const endless = ReadableStream.from(Array(20).fill(new Uint8Array(10_000).fill(65)));
  const cut = await Array.fromAsync(endless.pipeThrough(createLineStream()));
  assert.ok(cut.length > 1 && cut.join("").length === 200_000);
});
