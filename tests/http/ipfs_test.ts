// /ipfs and /routing: what was pushed comes out by CID, and the public conformance rows hold
// (they need the third-party vectors, named by SKYRING_VECTORS).

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { CID } from "multiformats/cid";
import { asCid } from "../../shared/base/ids.ts";
import { needing } from "../gate/needs.ts";
import { createFixture, type Fixture } from "./app_fixture.ts";
import { createMemoryPool } from "./memory_pool.ts";

const vectors = Deno.env.get("SKYRING_VECTORS");

Deno.test("/ipfs gives a pushed file by CID, whole and in ranges, and its blocks raw", async () => {
  const { ask } = createFixture();
  const body = new Uint8Array(600_000).map((_, index) => index % 251);
  const { cid } = await (await ask("/api/files/f", { method: "PUT", body })).json();
  const whole = await ask(`/ipfs/${cid}?filename=f.html`);
  assert.match(whole.headers.get("content-disposition") ?? "", /^attachment; filename="f\.html"/);
  assert.match(whole.headers.get("content-security-policy") ?? "", /^sandbox/);
  assert.deepEqual(new Uint8Array(await whole.arrayBuffer()), body);
  const part = await ask(`/ipfs/${cid}`, { headers: { range: "bytes=262140-262150" } });
  assert.deepEqual(new Uint8Array(await part.arrayBuffer()), body.slice(262_140, 262_151));
  const raw = await ask(`/ipfs/${cid}?format=raw`);
  const root = createHash("sha256").update(Buffer.from(await raw.arrayBuffer())).digest("hex");
  assert.equal(root, Buffer.from(CID.parse(cid).multihash.digest).toString("hex"));
  assert.equal((await ask(`/ipfs/${cid}?format=car`)).status, 406);
  assert.equal((await ask(`/ipfs/${cid}/inside`)).status, 404);
  const worker = await ask(`/ipfs/${cid}`, { headers: { "service-worker": "script" } });
  assert.equal(worker.status, 400);
});

Deno.test("/routing/v1/providers answers JSON or NDJSON in the peer schema", async () => {
  const { ask } = createFixture();
  const path = "/routing/v1/providers/bafkreihhpc5y2pqvl5rbe5uuyhqjouybfs3rvlmisccgzue2kkt5zq6upq";
  const record = {
    Schema: "peer",
    ID: "12D3KooWB",
    Addrs: ["/ip4/127.0.0.1/tcp/1"],
    Protocols: [],
  };
  assert.deepEqual(await (await ask(path)).json(), { Providers: [record] });
  const lines = await ask(path, { headers: { accept: "application/x-ndjson" } });
  assert.deepEqual(JSON.parse(await lines.text()), record);
});

interface Row {
  readonly group: string;
  readonly fixture: string;
  readonly name: string;
  readonly request: { readonly path: string; readonly headers?: Record<string, string> };
  readonly expect: {
    readonly status?: number;
    readonly headers?: Record<string, string>;
    readonly body?: { readonly sha256?: string; readonly length?: number };
    readonly statusBetween?: readonly [number, number];
    readonly note?: string;
  };
}

Deno.test({
  ...needing(["vectors"], "/ipfs answers the public conformance rows of blocks and UnixFS files"),
  async fn() {
    const folder = `${vectors}/gateway-conformance`;
    const { tests }: { tests: Row[] } = JSON.parse(
      await Deno.readTextFile(`${folder}/expectations.json`),
    );
    // CAR answers are a later issue; such requests are refused until then.
    const rows = tests.filter((row) => row.group !== "trustless-car-gateway");
    assert.equal(rows.length, 37);
    for (const row of rows) await checkRow(row, folder);
  },
});

async function checkRow(row: Row, folder: string): Promise<void> {
  const pool = createMemoryPool();
  for (const { cid, bytes } of carBlocks(await Deno.readFile(`${folder}/${row.fixture}`))) {
    pool.store(asCid(cid), bytes);
  }
  const holds = (cid: string) => pool.blockMap.has(asCid(cid));
  const fixture: Fixture = createFixture({}, { pool, holds });
  const headers = row.request.headers ?? {};
  const answer = await fixture.ask(row.request.path, { headers, redirect: "manual" });
  const where = `${row.name}: ${row.request.path} ${JSON.stringify(headers)}`;
  const { expect } = row;
  if (expect.status !== undefined) assert.equal(answer.status, expect.status, where);
  if (expect.statusBetween !== undefined) {
    const [low, high] = expect.statusBetween;
    assert.ok(answer.status >= low && answer.status <= high, where);
  }
  for (const [name, rule] of Object.entries(expect.headers ?? {})) {
    checkHeader(rule, { value: answer.headers.get(name), where: `${where} ${name}` });
  }
  if (expect.note !== undefined) {
    if (answer.status < 500) await assert.rejects(answer.arrayBuffer(), where);
    return;
  }
  const body = Buffer.from(await answer.arrayBuffer());
  if (expect.body?.length !== undefined) assert.equal(body.length, expect.body.length, where);
  if (expect.body?.sha256 !== undefined) {
    assert.equal(createHash("sha256").update(body).digest("hex"), expect.body.sha256, where);
  }
}

function checkHeader(rule: string, got: { value: string | null; where: string }): void {
  const value = got.value ?? "";
  if (rule.startsWith("= ")) return assert.equal(value, rule.slice(2), got.where);
  if (rule === "present") return assert.notEqual(value, "", got.where);
  if (rule.startsWith("contains ")) {
    for (const part of rule.slice(9).split(" and ")) {
      assert.ok(value.includes(part.replace(/^contains /, "")), `${got.where}: ${value}`);
    }
    return;
  }
  if (rule.startsWith("public, immutable")) {
    assert.match(value, /public/, got.where);
    assert.match(value, /immutable/, got.where);
    return assert.ok(Number(/max-age=(\d+)/.exec(value)?.[1]) >= 29_030_400, got.where);
  }
  assert.fail(`a rule that this test does not know: ${rule}`);
}

/** Blocks of a CARv1, with CIDs as version 1. */
function* carBlocks(car: Uint8Array): Generator<{ cid: string; bytes: Uint8Array }> {
  let offset = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1;; scale *= 128) {
      const byte = car[offset++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  const header = varint();
  offset += header;
  while (offset < car.length) {
    const length = varint();
    const [cid, bytes] = CID.decodeFirst(car.subarray(offset, offset + length));
    offset += length;
    yield { cid: cid.toV1().toString(), bytes };
  }
}
