// /api/files through the app: bytes in and out, conditions, ranges, names, views.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { encodeCursor } from "../../server/http/requests.ts";
import type { StatusSnapshot } from "../../shared/status.ts";
import { createFixture, type Fixture, status } from "./app_fixture.ts";
import { createMemoryPool } from "./memory_pool.ts";

function pattern(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = (index * 31 + (index >> 8)) & 0xff;
  return bytes;
}

async function put(fixture: Fixture, name: string, body: BodyInit): Promise<string> {
  const answer = await fixture.ask(`/api/files/${name}`, { method: "PUT", body });
  assert.ok(answer.ok, await answer.clone().text());
  return (await answer.json()).cid;
}

async function codeOf(answer: Response): Promise<string> {
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
  const problem = await answer.json();
  assert.equal(problem.status, answer.status);
  assert.ok(problem.type && problem.title && problem.detail);
  return `${answer.status} ${problem.code}`;
}

Deno.test("a list says that it may lack something, and only its first page asks for freshness", async () => {
  const asked: (boolean | undefined)[] = [];
  let stale = true;
  const fixture = createFixture({}, {
    pool: {
      ...createMemoryPool(Date.now),
      list: ({ fresh }) => {
        asked.push(fresh);
        return Promise.resolve({ items: [], next: null, stale });
      },
    },
  });
  const first = await fixture.ask("/api/files");
  assert.equal(first.headers.get("skyring-stale"), "1");
  stale = false;
  const next = await fixture.ask(`/api/files?cursor=${encodeCursor("a")}`);
  assert.equal(next.headers.get("skyring-stale"), null);
  assert.deepEqual(asked, [true, false]);
});

Deno.test("copies that were counted before the others were heard are marked as unknown", async () => {
  const phaseOf = (phase: StatusSnapshot["phase"]["phase"], startedAt: number): StatusSnapshot => ({
    ...status,
    startedAt,
    phase: { ...status.phase, phase },
  });
  const now = status.startedAt + 60_000;
  for (
    const [current, marked] of [
      [phaseOf("looking for peers", now - 1_000), "unknown"],
      [phaseOf("looking for peers", now - 60_000), "unknown"],
      [phaseOf("fetching metadata", now - 1_000), "unknown"],
      [phaseOf("seeding", now - 60_000), null],
    ] as const
  ) {
    const fixture = createFixture({}, { status: () => current, now: () => now });
    await put(fixture, "x", "abc");
    for (const path of ["/api/files", "/api/files/x?view=info"]) {
      const answer = await fixture.ask(path);
      await answer.body?.cancel();
      assert.equal(answer.headers.get("skyring-copies"), marked, `${path}, ${current.phase.phase}`);
    }
  }
});

Deno.test("PUT then GET gives the same bytes, with 201, 200, ETag and Location", async () => {
  const fixture = createFixture();
  for (const size of [0, 1, 262_143, 262_144, 262_145, 3_000_000]) {
    const body = pattern(size);
    const made = await fixture.ask(`/api/files/dir/f${size}.bin`, { method: "PUT", body });
    assert.equal(made.status, 201);
    const info = await made.json();
    assert.equal(info.size, size);
    assert.equal(made.headers.get("location"), `/api/files/dir/f${size}.bin`);
    assert.equal(made.headers.get("etag"), `"${info.cid}"`);
    const got = await fixture.ask(`/api/files/dir/f${size}.bin`);
    assert.equal(got.headers.get("content-length"), String(size));
    assert.equal(got.headers.get("etag"), `"${info.cid}"`);
    assert.deepEqual(new Uint8Array(await got.arrayBuffer()), body);
    const again = await fixture.ask(`/api/files/dir/f${size}.bin`, { method: "PUT", body });
    assert.equal(again.status, 200);
  }
});

Deno.test("GET answers single, suffix and open ranges as slices, others as the whole", async () => {
  const fixture = createFixture();
  const body = pattern(600_000);
  const cid = await put(fixture, "r", body);
  const rows: readonly (readonly [string, number, number, number])[] = [
    ["bytes=0-0", 206, 0, 1],
    ["bytes=262143-262144", 206, 262_143, 262_145],
    ["bytes=-5", 206, 599_995, 600_000],
    ["bytes=-9999999", 206, 0, 600_000],
    ["bytes=599999-", 206, 599_999, 600_000],
    ["bytes=10-99999999", 206, 10, 600_000],
    ["bytes=0-1,5-6", 200, 0, 600_000],
    ["bytes=5-2", 200, 0, 600_000],
    ["lines=1-2", 200, 0, 600_000],
  ];
  for (const [range, status, start, end] of rows) {
    const got = await fixture.ask("/api/files/r", { headers: { range } });
    assert.equal(got.status, status, range);
    assert.deepEqual(new Uint8Array(await got.arrayBuffer()), body.slice(start, end), range);
    const wanted = status === 206 ? `bytes ${start}-${end - 1}/600000` : null;
    assert.equal(got.headers.get("content-range"), wanted);
  }
  for (const range of ["bytes=600000-", "bytes=-0"]) {
    const got = await fixture.ask("/api/files/r", { headers: { range } });
    assert.equal(got.headers.get("content-range"), "bytes */600000");
    assert.equal(await codeOf(got), "416 range_unsatisfiable");
  }
  const stale = { range: "bytes=0-0", "if-range": '"other"' };
  assert.equal((await fixture.ask("/api/files/r", { headers: stale })).status, 200);
  const fresh = { range: "bytes=0-0", "if-range": `"${cid}"` };
  assert.equal((await fixture.ask("/api/files/r", { headers: fresh })).status, 206);
});

Deno.test("GET and PUT obey If-None-Match and If-Match", async () => {
  const fixture = createFixture();
  const cid = await put(fixture, "c", "one");
  const ask = async (method: string, headers: Record<string, string>) =>
    (await fixture.ask("/api/files/c", {
      method,
      headers,
      ...(method === "PUT" ? { body: "one" } : {}),
    })).status;
  assert.equal(await ask("GET", { "if-none-match": `"${cid}"` }), 304);
  assert.equal(await ask("GET", { "if-none-match": `"x", W/"${cid}"` }), 304);
  assert.equal(await ask("GET", { "if-none-match": "*" }), 304);
  assert.equal(await ask("GET", { "if-none-match": '"x"' }), 200);
  assert.equal(await ask("GET", { "if-match": '"x"' }), 412);
  assert.equal(await ask("GET", { "if-match": `W/"${cid}"` }), 412);
  assert.equal(await ask("GET", { "if-match": "no quotes" }), 400);
  assert.equal(await ask("PUT", { "if-none-match": "*" }), 412);
  assert.equal(await ask("PUT", { "if-none-match": `"${cid}"` }), 400);
  assert.equal(await ask("PUT", { "if-match": '"x"' }), 412);
  assert.equal(await ask("PUT", { "if-match": `"${cid}"` }), 200);
  assert.equal(await ask("DELETE", { "if-match": '"x"' }), 412);
  assert.equal(await ask("DELETE", { "if-match": "*" }), 204);
  assert.equal(await ask("GET", {}), 404);
});

Deno.test("HEAD has the headers of GET and no body", async () => {
  const fixture = createFixture();
  await put(fixture, "h.txt", "hello");
  const [head, get] = [
    await fixture.ask("/api/files/h.txt", { method: "HEAD" }),
    await fixture.ask("/api/files/h.txt"),
  ];
  assert.equal(await head.text(), "");
  assert.equal(await get.text(), "hello");
  assert.deepEqual([...head.headers], [...get.headers]);
  const digest = createHash("sha256").update("hello").digest("base64");
  assert.equal(get.headers.get("repr-digest"), `sha-256=:${digest}:`);
});

Deno.test("PUT checks digests and leaves the old version when one differs", async () => {
  const fixture = createFixture();
  const cid = await put(fixture, "d", "old");
  const digest = (algorithm: string, text: string) =>
    createHash(algorithm.replace("-", "")).update(text).digest("base64");
  const ask = (header: string, value: string) =>
    fixture.ask("/api/files/d", { method: "PUT", body: "new", headers: { [header]: value } });
  const wrong = await ask("content-digest", `sha-256=:${digest("sha-256", "old")}:`);
  assert.equal(await codeOf(wrong), "400 digest_mismatch");
  assert.equal(await codeOf(await ask("repr-digest", "sha-256=:AAAA:")), "400 bad_request");
  assert.equal(await codeOf(await ask("repr-digest", "sha-256=xyz")), "400 bad_request");
  assert.equal(fixture.pool.files.get("d")?.cid, cid);
  const right = `md5=:AAAA:, sha-512=:${digest("sha-512", "new")}:`;
  assert.equal((await ask("repr-digest", right)).status, 200);
});

Deno.test("names are decoded a segment at a time, checked, and brought to NFC", async () => {
  const fixture = createFixture();
  await put(fixture, "a%20b/%C3%A4%2520%23?replicas=1", "x");
  assert.deepEqual([...fixture.pool.files.keys()], ["a b/ä%20#"]);
  await put(fixture, "a%CC%88", "x");
  assert.ok(fixture.pool.files.has("ä"));
  const refused: readonly (readonly [string, string])[] = [
    ["a%2Fb", "422 bad_name"],
    ["a//b", "422 bad_name"],
    ["a/", "422 bad_name"],
    ["%0Ax", "422 bad_name"],
    ["%00", "422 bad_name"],
    ["%7f", "422 bad_name"],
    ["x".repeat(1_025), "422 bad_name"],
    ["%c0%ae%c0%ae", "400 bad_request"],
    ["%", "400 bad_request"],
  ];
  for (const [name, code] of refused) {
    const answer = await fixture.ask(`/api/files/${name}`, { method: "PUT", body: "x" });
    assert.equal(await codeOf(answer), code, name);
  }
});

Deno.test("PUT refuses settings out of range and a body beside from", async () => {
  const fixture = createFixture();
  const cid = await put(fixture, "one", "x");
  const ask = (query: string, body?: string) =>
    fixture.ask(`/api/files/two?${query}`, {
      method: "PUT",
      ...(body === undefined ? {} : { body }),
    });
  for (const query of ["replicas=0", "replicas=10", "replicas=x", "chunk-size=1KiB"]) {
    assert.equal(await codeOf(await ask(query, "x")), "422 bad_setting", query);
  }
  assert.equal(await codeOf(await ask("from=QmInvalid")), "400 bad_cid");
  assert.equal(await codeOf(await ask(`from=${cid}`, "x")), "400 bad_request");
  const missing = `from=${cid.slice(0, -3)}aaa`;
  assert.equal(await codeOf(await ask(missing)), "504 unavailable");
  assert.equal((await ask(`from=${cid}`)).status, 201);
  assert.equal(await (await fixture.ask("/api/files/two")).text(), "x");
});

Deno.test("PATCH sets replicas and refuses other bodies", async () => {
  const fixture = createFixture();
  await put(fixture, "p", "x");
  const ask = (body: string, type = "application/json") =>
    fixture.ask("/api/files/p", { method: "PATCH", body, headers: { "content-type": type } });
  assert.equal((await (await ask('{"replicas":2}')).json()).replicas.wanted, 2);
  assert.equal(await codeOf(await ask('{"replicas":2}', "text/plain")), "400 bad_request");
  assert.equal(await codeOf(await ask("{")), "400 bad_request");
  assert.equal(await codeOf(await ask('{"replicas":1.5}')), "422 bad_setting");
  assert.equal(await codeOf(await ask('{"replicas":2,"__proto__":{}}')), "422 bad_setting");
  assert.equal(await codeOf(await ask(`"${"x".repeat(70_000)}"`)), "413 too_large");
});

Deno.test("lists are paged by limit and cursor, and filtered by prefix", async () => {
  const fixture = createFixture();
  for (const name of ["a/1", "a/2", "a/3", "b"]) await put(fixture, name, name);
  const names: string[] = [];
  let cursor = "";
  do {
    const answer = await (await fixture.ask(`/api/files?prefix=a/&limit=2${cursor}`)).json();
    names.push(...answer.items.map((item: { name: string }) => item.name));
    cursor = answer.next === null ? "" : `&cursor=${answer.next}`;
  } while (cursor !== "");
  assert.deepEqual(names, ["a/1", "a/2", "a/3"]);
  for (const query of ["limit=0", "limit=1001", "limit=x"]) {
    assert.equal(await codeOf(await fixture.ask(`/api/files?${query}`)), "422 bad_setting");
  }
  assert.equal(await codeOf(await fixture.ask("/api/files?cursor=zz!")), "400 bad_request");
});

Deno.test("view=info and view=blocks show the record and the pages of the block map", async () => {
  const fixture = createFixture();
  const cid = await put(fixture, "v", pattern(600_000));
  assert.equal((await (await fixture.ask("/api/files/v?view=info")).json()).cid, cid);
  const first = await (await fixture.ask("/api/files/v?view=blocks&limit=2")).json();
  assert.deepEqual(first.items.map((row: { size: number }) => row.size), [262_144, 262_144]);
  const rest = await (await fixture.ask(`/api/files/v?view=blocks&cursor=${first.next}`)).json();
  assert.deepEqual(rest.items.map((row: { index: number }) => row.index), [2]);
  assert.equal(rest.next, null);
  assert.equal(await codeOf(await fixture.ask("/api/files/v?view=x")), "422 bad_setting");
});

Deno.test("stored content can do nothing in a browser", async () => {
  const fixture = createFixture();
  for (
    const [name, kind] of [["a.html", "attachment"], ["a.svg", "attachment"], ["a.png", "inline"]]
  ) {
    await put(fixture, name ?? "", "<script>1</script>");
    const got = await fixture.ask(`/api/files/${name}`);
    assert.match(got.headers.get("content-disposition") ?? "", new RegExp(`^${kind}; filename="`));
    assert.match(got.headers.get("content-security-policy") ?? "", /^sandbox; default-src 'none'/);
    assert.equal(got.headers.get("x-content-type-options"), "nosniff");
    await got.body?.cancel();
    const worker = await fixture.ask(`/api/files/${name}`, {
      headers: { "service-worker": "script" },
    });
    assert.equal(worker.status, 400);
  }
  await put(fixture, "q%22%0dx".replace("%0d", "") + "%C3%A4.txt", "x");
  const got = await fixture.ask("/api/files/q%22x%C3%A4.txt");
  assert.equal(
    got.headers.get("content-disposition"),
    "inline; filename=\"q_x_.txt\"; filename*=UTF-8''q%22x%C3%A4.txt",
  );
});

Deno.test("GET rejects its body when a block is lost, after the headers", async () => {
  const fixture = createFixture();
  await put(fixture, "l", pattern(600_000));
  const rows = await (await fixture.ask("/api/files/l?view=blocks")).json();
  fixture.pool.blockMap.delete(rows.items[1].cid);
  const got = await fixture.ask("/api/files/l");
  assert.equal(got.status, 200);
  await assert.rejects(got.arrayBuffer());
});
