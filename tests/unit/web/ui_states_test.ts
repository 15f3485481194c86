// Pages in states that are seldom seen: asked for where there are none, while a node has only just
// started, before an order is given.

import assert from "node:assert/strict";
import { createFixture, type Fixture, node, now, status } from "../../http/app_fixture.ts";

async function put(fixture: Fixture): Promise<void> {
  const answer = await fixture.ask("/api/files/a.txt", { method: "PUT", body: "x" });
  assert.equal(answer.status, 201);
  await answer.body?.cancel();
}

Deno.test("an unknown page is a page for people, and a problem for programs", async () => {
  const { ask } = createFixture();
  const html = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
  const page = await ask("/ui/nope", { headers: html });
  assert.equal(page.status, 404);
  assert.match(page.headers.get("content-type") ?? "", /text\/html/);
  const text = await page.text();
  assert.match(text, /<nav.*There is no such page/s);
  for (const [path, headers] of [["/ui/nope", {}], ["/ui/part/nope", html]] as const) {
    const answer = await ask(path, { headers });
    assert.equal(answer.status, 404);
    assert.equal(answer.headers.get("content-type"), "application/problem+json", path);
    await answer.body?.cancel();
  }
});

Deno.test("copies are not known, not none, before this node has heard from the others", async () => {
  const fresh = {
    ...status,
    startedAt: now - 4_000,
    phase: { ...status.phase, phase: "picking blocks" as const },
  };
  const fixture = createFixture({}, { status: () => fresh });
  await put(fixture);
  const list = await (await fixture.ask("/ui/files")).text();
  assert.match(list, /not known yet: this node has not heard from the others/);
  assert.ok(!/ of \d<\/span>/.test(list), "no count of copies");
  assert.match(await (await fixture.ask("/")).text(), /node-1 has only just started\./);
  const nodes = await (await fixture.ask("/ui/nodes")).text();
  assert.match(nodes, /Not heard yet/);
  assert.ok(!/<b>Dead<\/b>/.test(nodes));
  const settled = createFixture();
  await put(settled);
  assert.ok(!(await (await settled.ask("/ui/files")).text()).includes("not known yet"));
  assert.match(await (await settled.ask("/ui/nodes")).text(), /<b>Dead<\/b>/);
});

Deno.test("the preview of a resize says what the node would own, by the real placement", async () => {
  const members = ["node-1", "b", "c", "d"].map((name) => ({
    ...{ ...node, id: name, name, zone: name },
    ...{ capacity: 10 * 2 ** 30, share: .25 },
  }));
  const fixture = createFixture({}, { nodes: () => members });
  const sharesAt = async (size: string) => {
    const query = new URLSearchParams({ node: "node-1", order: "resize", size });
    const html = await (await fixture.ask(`/ui/node?${query}`)).text();
    return Number(/<b>After<\/b>.*?node-1 owns (\d+) %/s.exec(html)?.[1]);
  };
  const [less, same, more] = [
    await sharesAt("1GiB"),
    await sharesAt("10GiB"),
    await sharesAt("100GiB"),
  ];
  assert.ok(less < same && same < more, `${less}, ${same}, ${more}`);
  assert.ok(more <= 34, "three copies lie on three nodes: nobody owns more than a third");
});
