// The silence that pages count: from when a member was first missed, and never shorter again.

import assert from "node:assert/strict";
import { withSilence } from "../../../../server/http/ui_silence.ts";
import type { PoolEvent } from "../../../../web/pages/pool_view.ts";
import { node, now } from "../../../http/app_fixture.ts";

const event = (state: string, at: number, id = "b"): PoolEvent => ({
  kind: "member",
  at,
  data: { id, state },
});
const silent = (lastSeenAt: number) => ({ ...node, id: "b", state: "dead" as const, lastSeenAt });
const since = (lastSeenAt: number, events: readonly PoolEvent[]) =>
  withSilence([silent(lastSeenAt)], events)[0]?.lastSeenAt;

Deno.test("withSilence() counts from the first miss, whatever messages still come", () => {
  // Newest first: an earlier silence that ended does not count.
  const events = [
    event("dead", now - 5_000),
    event("dead", now - 5_500, "other"),
    { kind: "file", at: now - 5_600, data: { id: "b", state: "alive" } },
    event("suspect", now - 9_000),
    event("alive", now - 20_000),
    event("suspect", now - 30_000),
  ];
  for (const heard of [now - 12_000, now - 6_000, now - 1_000]) {
    assert.equal(since(heard, events), now - 9_000);
  }
});

Deno.test("withSilence() leaves rows alone that no event explains", () => {
  assert.equal(since(now - 4_000, []), now - 4_000, "the event is not kept any more");
  assert.equal(since(now - 4_000, [event("alive", now - 9_000)]), now - 4_000);
  assert.equal(since(0, [event("dead", now - 9_000)]), 0, "never heard from");
  const alive = { ...node, id: "b", lastSeenAt: now - 7 };
  assert.deepEqual(withSilence([alive], [event("dead", now - 9_000)]), [alive]);
});
