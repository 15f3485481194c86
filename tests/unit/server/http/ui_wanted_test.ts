import assert from "node:assert/strict";
import { asCid } from "../../../../shared/base/ids.ts";
import { createFixture, node, now } from "../../../http/app_fixture.ts";

const cid = asCid("bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
const block = { cid, file: "a <b>.txt", kind: "leaf", replicas: 3, triedAt: null } as const;

Deno.test("the page of wanted blocks says why each is wanted and who will give it", async () => {
  let asked = 0;
  const nodes = ["12D3KooWA", "n2", "n3"].map((id) => ({ ...node, id, name: id }));
  const page = async (
    items: readonly { lost: boolean; triedAt: number | null }[],
    from: string[],
  ) => {
    const { ask } = createFixture({}, {
      nodes: () => nodes,
      wanted: () => ({ items: items.map((item) => ({ ...block, ...item })), next: null }),
      holders: (cids) => {
        asked++;
        return Promise.resolve(cids.map(() => from));
      },
    });
    await (await ask("/ui/part/wanted")).body?.cancel();
    return await (await ask("/ui/wanted")).text();
  };
  const found = await page([{ lost: false, triedAt: null }], ["12D3KooWA", "n2", "n3"]);
  assert.match(found, /one of the 3 owners of slot [\d,]+/);
  assert.match(found, /n2 or n3</, "this node is no giver");
  assert.ok(found.includes("a &lt;b&gt;.txt"));
  assert.equal(asked, 1, "two looks within seconds ask the others once");
  const lost = await page([{ lost: true, triedAt: now - 4_000 }], []);
  assert.match(lost, /nobody who answers has it; asked again in 6 s/);
});
