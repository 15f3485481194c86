// Share links: what they open, and everything that must not open them.

import assert from "node:assert/strict";
import { createFixture, now } from "./app_fixture.ts";

async function share(fixture: ReturnType<typeof createFixture>, body: unknown): Promise<Response> {
  return await fixture.ask("/api/shares", {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", authorization: "Bearer t" },
  });
}

Deno.test("a share link opens its version without a token, until it expires", async () => {
  let time = now;
  const fixture = createFixture({ loopback: false, token: "t" }, { now: () => time });
  const { pool } = fixture.services;
  const put = (text: string) => {
    const body = new Response(text).body ?? [];
    return pool.push(body as AsyncIterable<Uint8Array>, { name: "docs/ä b.html" });
  };
  await put("first");
  const made = await share(fixture, { name: "docs/ä b.html", expires: now + 60_000 });
  assert.equal(made.status, 201);
  const { url } = await made.json();
  await put("second");
  const { ask } = createFixture({ loopback: false, token: "t" }, { pool, now: () => time });
  const got = await ask(url);
  assert.equal(await got.text(), "first");
  assert.match(got.headers.get("content-disposition") ?? "", /^attachment/);
  assert.match(got.headers.get("content-security-policy") ?? "", /^sandbox/);
  assert.equal((await ask(url, { headers: { range: "bytes=1-2" } })).status, 206);
  assert.equal((await ask(url, { headers: { "service-worker": "script" } })).status, 400);
  assert.equal((await ask(url, { method: "DELETE" })).status, 404);
  time = now + 60_000;
  assert.equal((await ask(url)).status, 403);
});

Deno.test("a share link that was changed in any part opens nothing", async () => {
  const fixture = createFixture();
  for (const name of ["a", "b"]) {
    await fixture.ask(`/api/files/${name}`, { method: "PUT", body: name });
  }
  const { url } = await (await share(fixture, { name: "a", expires: now + 60_000 })).json();
  const other = await (await share(fixture, { name: "b", expires: now + 90_000 })).json();
  assert.equal((await fixture.ask(url)).status, 200);
  const [, , grant = ""] = url.split("/");
  const [cid, expiry, mac] = grant.split(".");
  const [cidOfB, expiryOfB] = other.url.split("/")[2].split(".");
  const forged = [
    `/s/${cidOfB}.${expiry}.${mac}/a`,
    `/s/${cid}.${expiryOfB}.${mac}/a`,
    `/s/${cid}.${expiry}.${mac}x/a`,
    `/s/${cid}.${expiry}.${mac}.x/a`,
    `/s/${cid}.${expiry}./a`,
    `/s/${cid}.${expiry}/a`,
    // As many characters, and more bytes.
    `/s/${cid}.${expiry}.${"%C3%A9".repeat(mac?.length ?? 0)}/a`,
    `/s/${grant}/b`,
    `/s/${grant.toUpperCase()}/a`,
  ];
  for (const path of forged) assert.equal((await fixture.ask(path)).status, 403, path);
});

Deno.test("POST /api/shares refuses unknown names and times that are no future", async () => {
  const fixture = createFixture();
  await fixture.ask("/api/files/a", { method: "PUT", body: "a" });
  const status = async (body: unknown) => (await share(fixture, body)).status;
  assert.equal(await status({ name: "none", expires: now + 1_000 }), 404);
  assert.equal(await status({ name: "../a", expires: now + 1_000 }), 422);
  for (const expires of [now, now - 1, now + 1e12, "never", null]) {
    assert.equal(await status({ name: "a", expires }), 422, String(expires));
  }
  assert.equal(await status({ name: "a", expires: new Date(now + 5_000).toISOString() }), 201);
});
