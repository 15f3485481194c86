import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeInvite, encodeInvite, type Invite } from "../../../../shared/wire/invite.ts";

const example: Invite = {
  group: "home",
  addresses: ["/ip4/192.168.1.5/tcp/10090/p2p/12D3KooWA", "http://192.168.1.5:8080"],
  secret: "hush",
};

function faultOf(text: string): string {
  const read = decodeInvite(text);
  return read.ok ? "none" : read.fault;
}

Deno.test("decodeInvite() reads back what encodeInvite() wrote", () => {
  const text = fc.string({ minLength: 1, maxLength: 60, unit: "grapheme-ascii" });
  const invites = fc.record({
    group: text,
    addresses: fc.array(text, { minLength: 1, maxLength: 16 }),
    secret: fc.option(text, { nil: undefined }),
  }, { noNullPrototype: true });
  fc.assert(fc.property(invites, (invite) => {
    const token = encodeInvite(invite);
    assert.match(token, /^sky1[a-z2-7]+$/);
    assert.deepEqual(decodeInvite(token), { ok: true, invite });
  }));
});

Deno.test("decodeInvite() forgives blanks and upper case", () => {
  assert.deepEqual(decodeInvite(` ${encodeInvite(example).toUpperCase()}\n`), {
    ok: true,
    invite: example,
  });
});

Deno.test("decodeInvite() finds every single mistyped or missing character", () => {
  const token = encodeInvite(example);
  for (let at = 4; at < token.length - 1; at++) {
    const other = token[at] === "a" ? "b" : "a";
    assert.equal(faultOf(token.slice(0, at) + other + token.slice(at + 1)), "mistyped", `at ${at}`);
    assert.equal(faultOf(token.slice(0, at)), "mistyped", `cut at ${at}`);
  }
  assert.equal(faultOf(`${token}8`), "mistyped");
});

Deno.test("decodeInvite() refuses what is none, too long or of another shape", () => {
  assert.equal(faultOf("http://host:1"), "not_an_invite");
  assert.equal(faultOf(""), "not_an_invite");
  assert.equal(faultOf(`sky1${"a".repeat(9_000)}`), "too_long");
  const read = decodeInvite("sky1");
  assert.match(read.ok ? "" : read.message, /^Cannot read invite token: it is cut short/);
});

Deno.test("encodeInvite() refuses an invite over its limits", () => {
  assert.throws(() => encodeInvite({ ...example, addresses: [] }), /limits/);
  assert.throws(() => encodeInvite({ ...example, addresses: Array(17).fill("a") }), /limits/);
});

Deno.test("decodeInvite() never throws on any text", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    decodeInvite(text);
    decodeInvite(`sky1${text}`);
  }));
});
