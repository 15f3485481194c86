import assert from "node:assert/strict";
import { type ErrorCode, SkyringError } from "../../../../shared/base/errors.ts";
import { problemResponse, statusOf } from "../../../../server/http/problems.ts";

Deno.test("problemResponse() carries code, message and data, none hides another", async () => {
  const data = { limit: 5, freeBytes: 2, status: 200, code: "fake", detail: "fake" };
  const response = problemResponse(new SkyringError("full", "Cannot store: full", { data }));
  assert.equal(response.status, 507);
  assert.deepEqual(await response.json(), {
    limit: 5,
    freeBytes: 2,
    type: "urn:skyring:problem:full",
    title: "Full",
    status: 507,
    detail: "Cannot store: full",
    code: "full",
  });
});

Deno.test("problemResponse() says Retry-After with every 429 and 503", async () => {
  const codes: readonly ErrorCode[] = [
    "busy",
    "no_quorum",
    "outcome_unknown",
    "too_few_copies",
    "read_only",
    "not_ready",
    "stopped",
  ];
  for (const code of codes) {
    const response = problemResponse(new SkyringError(code, "x"));
    assert.ok(response.status === 429 || response.status === 503, code);
    assert.ok(Number(response.headers.get("retry-after")) > 0, code);
    await response.body?.cancel();
  }
  assert.equal(statusOf("unavailable"), 504);
});

Deno.test("problemResponse() shows nothing of what is not a SkyringError", async () => {
  for (const thrown of [new Error("inner"), "inner", { inner: 1 }, undefined]) {
    const text = await problemResponse(thrown).text();
    assert.ok(!text.includes("inner"), text);
    assert.equal(JSON.parse(text).code, "internal");
  }
});
