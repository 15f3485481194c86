import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteBudget } from "../../../../server/net/byte_budget.ts";

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("take() waits while too much is held, in order, and one too large goes alone", async () => {
  const budget = new ByteBudget(10);
  const order: string[] = [];
  const first = await budget.take(6);
  const large = budget.take(25).then((give) => (order.push("large"), give));
  const small = budget.take(1).then((give) => (order.push("small"), give));
  await turn();
  assert.deepEqual(order, [], "the small one does not overtake");
  first();
  first();
  const giveLarge = await large;
  await turn();
  assert.deepEqual(order, ["large"]);
  giveLarge();
  (await small)();
  assert.equal(budget.held, 0);
});

Deno.test("held bytes stay within the budget, and all comes back", async () => {
  const steps = fc.array(fc.integer({ min: 1, max: 10 }), { maxLength: 40 });
  await fc.assert(fc.asyncProperty(steps, async (sizes) => {
    const budget = new ByteBudget(16);
    await Promise.all(sizes.map(async (size, index) => {
      const give = await budget.take(size);
      assert.ok(budget.held <= 16, `${budget.held} held`);
      for (let wait = 0; wait < index % 3; wait++) await Promise.resolve();
      give();
    }));
    assert.equal(budget.held, 0);
  }));
});
