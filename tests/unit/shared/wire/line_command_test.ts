import assert from "node:assert/strict";
import fc from "fast-check";
import { fileBytesMax, lineBytesMax } from "../../../../shared/base/limits.ts";
import { type LineCommand, LineReader, parseLine } from "../../../../shared/wire/line_command.ts";

const encoder = new TextEncoder();
const parse = (text: string) => parseLine(encoder.encode(text));
const refused = (reason: string, body = 0): LineCommand => ({ kind: "refused", reason, body });

Deno.test("parseLine() reads every command in any case", () => {
  const table: readonly (readonly [string, LineCommand])[] = [
    ["NODE STATUS", { kind: "node_status" }],
    ["node ping", { kind: "node_ping" }],
    ["Node Heal ", { kind: "node_heal" }],
    ["netmap GET", { kind: "netmap_get" }],
    ["NETMAP discover", { kind: "netmap_discover" }],
    ["TOPOLOGY  WALK", { kind: "topology_walk" }],
    ["file list", { kind: "file_list" }],
    ["FILE PUSH 12 a b/c.txt", { kind: "file_push", size: 12, name: "a b/c.txt" }],
    ["file push 007 x", { kind: "file_push", size: 7, name: "x" }],
    ["FILE PUSH 0  two", { kind: "file_push", size: 0, name: " two" }],
    ["FILE PULL a  b ", { kind: "file_pull", name: "a  b " }],
    ["FILE DELETE día", { kind: "file_delete", name: "día" }],
    ["FILE STAT -", { kind: "file_stat", name: "-" }],
    ["AUTH s3cret", { kind: "auth", token: "s3cret" }],
    ["", { kind: "blank" }],
    ["  \t", { kind: "blank" }],
  ];
  for (const [text, command] of table) assert.deepEqual(parse(text), command, text);
});

Deno.test("parseLine() refuses in the documented words", () => {
  const table: readonly (readonly [string, string])[] = [
    ["FOO", "unknown command namespace: 'FOO'"],
    ["foo BAR", "unknown command namespace: 'foo'"],
    ["FILE", "unknown FILE command"],
    ["file frob x", "unknown FILE command"],
    ["FILE LIST x", "unknown FILE command"],
    ["NODE", "unknown NODE command"],
    ["NETMAP PUT", "unknown NETMAP command"],
    ["TOPOLOGY", "unknown TOPOLOGY command"],
    ["NODE NEXT 127.0.0.1:9", "ring is self-organising"],
    ["FILE PUSH", "missing file name for FILE PUSH"],
    ["FILE PUSH 5", "missing file name for FILE PUSH"],
    ["FILE PUSH five a", "invalid size for FILE PUSH"],
    ["FILE PUSH -1 a", "invalid size for FILE PUSH"],
    ["FILE PUSH 1e3 a", "invalid size for FILE PUSH"],
    ["FILE PULL", "missing file name for FILE PULL"],
    ["FILE DELETE  ", "missing file name for FILE DELETE"],
    [
      "FILE PUSH 99999999999999999999 a",
      `file size is too large (99999999999999999999 > ${fileBytesMax})`,
    ],
  ];
  for (const [text, reason] of table) assert.deepEqual(parse(text), refused(reason), text);
});

Deno.test("parseLine() refuses bad names, and says how many bytes of a body go with them", () => {
  for (const name of ["a/../b", "a//b", "a\tb", "x\u0085", "n".repeat(1_025)]) {
    const push = parse(`FILE PUSH 9 ${name}`);
    assert.ok(push.kind === "refused" && push.body === 9, name);
    assert.match(push.reason, /^Cannot use name/);
    const pull = parse(`FILE PULL ${name}`);
    assert.ok(pull.kind === "refused" && pull.body === 0, name);
  }
});

Deno.test("parseLine() knows what web pages, TLS and other binary clients send", () => {
  for (
    const text of [
      "GET / HTTP/1.1",
      "POST /x HTTP/1.1",
      "options * HTTP/1.1",
      "PRI * HTTP/2.0",
      "Host: 127.0.0.1:7100",
      "host:x",
      "FILE PULL a\0b",
    ]
  ) assert.deepEqual(parse(text), { kind: "foreign" }, text);
  const hello = Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3);
  assert.deepEqual(parseLine(hello), { kind: "foreign" });
  assert.deepEqual(parseLine(Uint8Array.of(0xff, 0xfe)), { kind: "foreign" });
  assert.equal(parse("FILE PULL GET").kind, "file_pull");
  assert.equal(parse("GETAWAY").kind, "refused");
});

Deno.test("parseLine() answers any bytes with one safe line", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    const command = parseLine(bytes);
    if (command.kind === "refused") assert.doesNotMatch(command.reason, /\p{Cc}/u);
  }));
  const words = fc.constantFrom(
    "FILE",
    "push",
    "PULL",
    "NODE",
    "7",
    "-",
    "ping",
    " ",
    "é",
    "\u0001",
  );
  fc.assert(fc.property(fc.array(words, { maxLength: 8 }), (list) => {
    const command = parse(list.join(" "));
    if (command.kind === "refused") assert.doesNotMatch(command.reason, /\p{Cc}/u);
    if (command.kind === "file_push") assert.ok(Number.isSafeInteger(command.size));
  }));
});

interface Item {
  readonly line: string;
  readonly end: string;
  readonly body: Uint8Array;
}

const item = fc.record({
  line: fc.string({ maxLength: 60 }).map((text) => text.replace(/[\r\n]/g, "_")),
  end: fc.constantFrom("\n", "\r\n"),
  body: fc.uint8Array({ maxLength: 300 }),
});

/** Reads as a session does: a line, then as many bytes as the item has. */
function readAll(reader: LineReader, items: readonly Item[], pieces: readonly Uint8Array[]) {
  const queue = [...pieces];
  const found: { line: string; body: Uint8Array }[] = [];
  const feed = () => {
    const piece = queue.shift();
    assert.ok(piece !== undefined, "the reader asks for more than was sent");
    reader.feed(piece);
  };
  for (const { body } of items) {
    let read = reader.nextLine();
    for (; read.kind === "more"; read = reader.nextLine()) feed();
    assert.equal(read.kind, "line");
    const taken: number[] = [];
    while (taken.length < body.length) {
      if (reader.length === 0) feed();
      taken.push(...reader.take(body.length - taken.length));
    }
    const line = read.kind === "line" ? new TextDecoder().decode(read.bytes) : "";
    found.push({ line, body: Uint8Array.from(taken) });
  }
  return found;
}

Deno.test("LineReader gives the same lines and bodies whatever the cuts", () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 6 }), fc.infiniteStream(fc.nat(40)), (items, cuts) => {
      const whole = Uint8Array.from(
        items.flatMap(({ line, end, body }) => [...encoder.encode(line + end), ...body]),
      );
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < whole.length;) {
        const length = 1 + (cuts.next().value ?? 0);
        pieces.push(whole.slice(at, at + length));
        at += length;
      }
      const found = readAll(new LineReader(), items, pieces);
      assert.deepEqual(found, items.map(({ line, body }) => ({ line, body })));
    }),
  );
});

Deno.test("LineReader refuses a line over the limit as soon as it is over it", () => {
  const reader = new LineReader();
  reader.feed(new Uint8Array(lineBytesMax).fill(65));
  assert.equal(reader.nextLine().kind, "more");
  reader.feed(Uint8Array.of(65));
  assert.equal(reader.nextLine().kind, "too_long");
});
