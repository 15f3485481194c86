import assert from "node:assert/strict";
import { SkyringError } from "../../../../shared/base/errors.ts";
import { gatewayHeader, readWord, sealWord } from "../../../../server/http/gateway_word.ts";
import { createFixture, node } from "../../../http/app_fixture.ts";
import { createFakeActions } from "../../../http/fake_actions.ts";

const said = {
  origin: "https://pool.example",
  client: "192.0.2.7",
  cluster: {
    processes: [{ name: "node-1", state: "running" as const, port: 7_000 }],
    refusal: null,
  },
};

Deno.test("readWord() takes only words sealed with the node's own token", () => {
  const read = (sealed: string | null, reads: string | null) =>
    readWord(new Headers({ [gatewayHeader]: sealWord(said, sealed) }), reads);
  assert.deepEqual(read(null, null), said);
  assert.deepEqual(read("secret", "secret"), said);
  assert.equal(read(null, "secret"), undefined);
  assert.equal(read("other", "secret"), undefined);
  assert.equal(readWord(new Headers(), null), undefined);
});

Deno.test("readWord() refuses what no gateway says", () => {
  for (const origin of ["javascript:alert(1)", "https://a/b", "https://u@a", "ftp://a", ""]) {
    const sealed = sealWord({ ...said, origin }, null);
    assert.equal(readWord(new Headers({ [gatewayHeader]: sealed }), null), undefined, origin);
  }
  for (const text of ["x", "e30", "!!", "bnVsbA"]) {
    assert.equal(readWord(new Headers({ [gatewayHeader]: text }), null), undefined, text);
  }
});

Deno.test("pages through a cluster's gateway have its orders, others have none", async () => {
  const other = { ...node, id: "12D3KooWB", name: "node-2", http: "http://127.0.0.1:7002" };
  const { ask } = createFixture({}, { nodes: () => [{ ...node, id: "node-1" }, other] });
  const processes = [
    { name: "node-1", state: "running" as const, port: 7_000 },
    { name: "node-2", state: "paused" as const, port: 7_002 },
    { name: 'node-3"><u>', state: "ended" as const, port: 7_004 },
  ];
  const headers = {
    [gatewayHeader]: sealWord({ ...said, cluster: { processes, refusal: "Cannot <b>." } }, null),
  };
  const plain = await (await ask("/ui/nodes")).text();
  assert.ok(!plain.includes("/ui/cluster"));
  assert.match(plain, /order=stop/);
  const html = await (await ask("/ui/nodes", { headers })).text();
  for (const order of ["add", "pause&amp;node=node-1", "resume&amp;node=node-2"]) {
    assert.ok(html.includes(`/ui/cluster?order=${order}`), order);
  }
  assert.match(html, /order=start&amp;node=node-3/);
  assert.ok(!html.includes("<u>"));
  const told = async (query: string, said: Record<string, string> = headers) =>
    /role="status">.*?<b>([^<]*)<\/b>/s.exec(
      await (await ask(`/ui/nodes?${query}`, { headers: said })).text(),
    )?.[1];
  assert.equal(await told("told=pause&node=node-2"), "node-2 was paused.");
  assert.equal(await told("told=remove&node=node-9"), "node-9 was removed.");
  assert.equal(await told("told=pause&node=other"), undefined, "no such process");
  assert.equal(await told("told=wipe&node=node-2"), undefined, "no such order");
  assert.equal(await told("told=pause&node=node-2", {}), undefined, "no cluster");
  const look = (query: string, init = {}) => ask(`/ui/cluster?${query}`, init);
  assert.equal((await look("order=pause&node=node-1")).status, 404);
  const pause = await (await look("order=pause&node=node-1", { headers })).text();
  assert.match(pause, /Pause node-1\?/);
  assert.match(pause, /To be made again, if it stays away/);
  assert.match(pause, /deno task cli cluster pause node-1/);
  assert.match(pause, /action="\/ui\/cluster\/pause"/);
  assert.ok(pause.includes("Cannot &lt;b&gt;."));
  const add = await (await look("order=add", { headers })).text();
  assert.match(add, /deno task cli cluster add/);
  assert.equal([...add.matchAll(/class="ring ring-mini/g)].length, 2);
  assert.equal((await look("order=pause&node=none", { headers })).status, 404);
  assert.equal((await look("order=wipe", { headers })).status, 422);
});

Deno.test("the page of an order to a process says why its plan is not known, and breaks for a bug", async () => {
  const actions = createFakeActions();
  const processes = [{ name: "node-1", state: "running" as const, port: 7_000 }];
  const headers = {
    [gatewayHeader]: sealWord({ ...said, cluster: { processes, refusal: null } }, null),
  };
  const pause = async (stop: typeof actions.stop, state: typeof node.state = "alive") => {
    const { ask } = createFixture({}, {
      nodes: () => [{ ...node, id: "node-1", state }],
      nodeActions: { ...actions, stop },
    });
    return await ask("/ui/cluster?order=pause&node=node-1", { headers });
  };
  const failing = (error: Error) => () => Promise.reject(error);
  const unready = await pause(failing(new SkyringError("not_ready", "Cannot plan: it joins")));
  assert.equal(unready.status, 200);
  const page = await unready.text();
  assert.match(page, /What it would take is not known:<\/b> Cannot plan: it joins\./);
  assert.match(page, /action="\/ui\/cluster\/pause"/);
  assert.match(
    await (await pause(actions.stop, "dead")).text(),
    /not known:<\/b> it does not answer/,
  );
  assert.equal((await pause(failing(new TypeError("a bug")))).status, 500);
});

Deno.test("visitors through one gateway have four streams each, not four in all", async () => {
  const { ask } = createFixture();
  const from = (client: string) =>
    ask("/ui/events", { headers: { [gatewayHeader]: sealWord({ ...said, client }, null) } });
  const open: Response[] = [];
  for (let index = 0; index < 4; index++) open.push(await from("192.0.2.7"));
  assert.deepEqual(open.map(({ status }) => status), [200, 200, 200, 200]);
  assert.equal((await from("192.0.2.7")).status, 204);
  open.push(await from("192.0.2.8"));
  assert.equal(open.at(-1)?.status, 200);
  for (const { body } of open) await body?.cancel();
});

Deno.test("a link that is made through a gateway begins with the gateway's origin", async () => {
  const { ask, pool } = createFixture();
  await pool.push(ReadableStream.from([new TextEncoder().encode("x")]), { name: "a.txt" });
  const answer = await ask("/ui/share", {
    method: "POST",
    body: new URLSearchParams({ name: "a.txt", days: "1" }),
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      [gatewayHeader]: sealWord(said, null),
    },
  });
  assert.match(await answer.text(), /value="https:\/\/pool\.example\/s\//);
});
