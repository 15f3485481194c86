import assert from "node:assert/strict";
import fc from "fast-check";
import { checkName, encodeName } from "../../../../shared/base/name.ts";

function faultOf(text: string): string | undefined {
  const check = checkName(text);
  return check.ok ? undefined : check.fault;
}

Deno.test("checkName() takes folders, spaces and any script, in NFC", () => {
  assert.deepEqual(checkName("a/b c/ü.txt"), { ok: true, name: "a/b c/ü.txt" });
  assert.deepEqual(checkName("u\u0308"), { ok: true, name: "ü" });
  assert.equal(faultOf("...") ?? faultOf("写真/🌊.jpg") ?? faultOf("a\\b"), undefined);
});

Deno.test("checkName() refuses what could be mistaken, with its reason", () => {
  assert.equal(faultOf(""), "empty");
  for (const name of ["/a", "a/", "a//b", ".", "..", "a/../b", "./a"]) {
    assert.equal(faultOf(name), "bad_segment", name);
  }
  for (const name of ["a\0b", "a\nb", "\u007f", "a\u0085", "a\u2028"]) {
    assert.equal(faultOf(name), "control_character", JSON.stringify(name));
  }
  assert.equal(faultOf("a\ud800"), "not_unicode");
});

Deno.test("checkName() counts bytes, not characters", () => {
  assert.equal(faultOf("x".repeat(1_024)), undefined);
  assert.equal(faultOf("x".repeat(1_025)), "too_long");
  assert.equal(faultOf("é".repeat(513)), "too_long");
  const check = checkName("x".repeat(1_025));
  assert.match(check.ok ? "" : check.message, /1025 bytes, at most 1024/);
});

Deno.test("encodeName() gives a path that decodes to the same segments", () => {
  assert.equal(encodeName("a b/c?#%.txt"), "a%20b/c%3F%23%25.txt");
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
    const check = checkName(text);
    if (!check.ok) return;
    const url = new URL(`http://h/api/files/${encodeName(check.name)}`);
    const back = url.pathname.slice("/api/files/".length).split("/").map(decodeURIComponent);
    assert.equal(back.join("/"), check.name);
  }));
});
