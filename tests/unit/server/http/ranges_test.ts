import assert from "node:assert/strict";
import fc from "fast-check";
import { chooseRange } from "../../../../server/http/ranges.ts";

/** The rules of RFC 9110 14.1.2, read one byte at a time. */
function oracle(first: number | undefined, last: number | undefined, size: number): number[] {
  const all = Array.from({ length: size }, (_, index) => index);
  if (first === undefined) return last === undefined || last === 0 ? [] : all.slice(-last);
  return all.filter((index) => index >= first && (last === undefined || index <= last));
}

Deno.test("chooseRange() selects the bytes that a byte-wise reading selects", () => {
  const small = fc.option(fc.nat(12), { nil: undefined });
  fc.assert(fc.property(small, small, fc.nat(10), (first, last, size) => {
    const choice = chooseRange(`bytes=${first ?? ""}-${last ?? ""}`, size);
    if (first === undefined && last === undefined) return assert.equal(choice.kind, "whole");
    if (first !== undefined && last !== undefined && last < first) {
      return assert.equal(choice.kind, "whole");
    }
    const wanted = oracle(first, last, size);
    if (wanted.length === 0) return assert.equal(choice.kind, "unsatisfiable");
    assert.deepEqual(choice, {
      kind: "part",
      start: wanted[0],
      end: (wanted.at(-1) ?? 0) + 1,
    });
  }));
});

Deno.test("chooseRange() gives the whole, or a part inside the size, for any header", () => {
  fc.assert(fc.property(fc.string(), fc.nat(), (text, size) => {
    for (const header of [text, `bytes=${text}`]) {
      const choice = chooseRange(header, size);
      if (choice.kind !== "part") continue;
      assert.ok(0 <= choice.start && choice.start < choice.end && choice.end <= size);
    }
  }));
  assert.deepEqual(chooseRange(null, 5), { kind: "whole" });
  assert.deepEqual(chooseRange(`bytes=${"9".repeat(400)}-`, 5), { kind: "unsatisfiable" });
});
