import assert from "node:assert/strict";
import { SkyringError } from "../../../../shared/base/errors.ts";
import type { Cluster, ClusterNode } from "../../../../server/cluster/cluster.ts";
import { clusterRoutes } from "../../../../server/cluster/cluster_routes.ts";
import { gatewayHeader, readWord, sealWord } from "../../../../server/http/gateway_word.ts";
import { withGateway } from "../gateway/gateway_bench.ts";

const row: ClusterNode = {
  ...{ name: "node-1", state: "running", pid: 7, starts: 1, http: "http://127.0.0.1:7000" },
  ...{ port: 7_000, p2pPort: 7_001, linePort: 7_100 },
};

const word = {
  ...{ origin: "", client: "127.0.0.1" },
  cluster: { processes: [{ name: row.name, state: row.state, port: row.port }], refusal: null },
};

function fakeCluster(): Cluster & { readonly asked: string[] } {
  const asked: string[] = [];
  const change = (verb: string) => (name: string) => {
    asked.push(`${verb} ${name}`);
    return name === row.name
      ? Promise.resolve(row)
      : Promise.reject(new SkyringError("not_found", "Cannot find node"));
  };
  return {
    asked,
    nodes: () => [row],
    add: () => Promise.resolve(row),
    start: change("start"),
    stop: change("stop"),
    pause: change("pause"),
    resume: change("resume"),
    remove: async (name) => void await change("remove")(name),
    ended: new Promise(() => undefined),
    stopAll: () => Promise.resolve(),
  };
}

Deno.test("clusterRoutes() answers every operation that the API description names", async () => {
  const cluster = fakeCluster();
  await withGateway([{}], async ({ base }) => {
    const { paths } = await (await fetch(`${base}/api/openapi.json`)).json();
    assert.ok("/api/files/{name}" in paths);
    const named = Object.keys(paths).filter((path) => path.startsWith("/api/cluster/"));
    assert.equal(named.length, 6);
    for (const path of named) {
      for (const method of Object.keys(paths[path])) {
        const url = base + path.replace("{name}", "node-1");
        const response = await fetch(url, { method: method.toUpperCase() });
        const statuses = Object.keys(paths[path][method].responses);
        assert.ok(
          statuses.includes(String(response.status)),
          `${method} ${path}: ${response.status}`,
        );
        await response.body?.cancel();
      }
    }
    assert.deepEqual(cluster.asked.sort(), [
      ...["pause node-1", "remove node-1", "resume node-1", "start node-1", "stop node-1"],
    ]);
    for (const path of ["/node-1/frob", "/node-1/stop/x", "/none/stop"]) {
      const response = await fetch(`${base}/api/cluster/nodes${path}`, { method: "POST" });
      assert.equal(response.status, 404, path);
      await response.body?.cancel();
    }
  }, { routes: clusterRoutes(() => cluster) });
});

Deno.test("clusterRoutes() says so while the cluster starts", async () => {
  await withGateway([], async ({ base }) => {
    const response = await fetch(`${base}/api/cluster/nodes`);
    assert.deepEqual([response.status, (await response.json()).code], [503, "not_ready"]);
  }, { routes: clusterRoutes(() => undefined) });
});

Deno.test("clusterRoutes() carries out forms, and shows a refused order's page again", async () => {
  const cluster = fakeCluster();
  await withGateway([{}], async ({ base, nodes }) => {
    const post = async (order: string, node: string, headers = {}) => {
      const answer = await fetch(`${base}/ui/cluster/${order}`, {
        method: "POST",
        redirect: "manual",
        body: new URLSearchParams({ node }),
        headers,
      });
      await answer.body?.cancel();
      return [answer.status, answer.headers.get("location")];
    };
    const done = (order: string) => `/ui/nodes?told=${order}&node=node-1`;
    assert.deepEqual(await post("pause", "node-1"), [303, done("pause")]);
    assert.deepEqual(await post("add", ""), [303, done("add")]);
    assert.deepEqual(cluster.asked, ["pause node-1"]);
    const [status] = await post("pause", "node-1", { origin: "https://elsewhere.example" });
    assert.equal(status, 403);
    assert.deepEqual(cluster.asked, ["pause node-1"]);
    // A name that ended a moment ago: the page says why nothing was done.
    assert.deepEqual(await post("stop", "none"), [303, "/ui/cluster?order=stop&node=none"]);
    await (await fetch(`${base}/ui/cluster?order=stop&node=none`)).body?.cancel();
    const forged = { [gatewayHeader]: sealWord({ ...word, origin: "https://forged" }, null) };
    await (await fetch(`${base}/ui/nodes`, { headers: forged })).body?.cancel();
    const told = (nodes[0]?.asked ?? []).map(({ headers }) => readWord(headers, null));
    assert.deepEqual(told, [
      { ...word, origin: base, cluster: { ...word.cluster, refusal: "Cannot find node." } },
      { ...word, origin: base },
    ]);
  }, { routes: clusterRoutes(() => cluster) });
});
