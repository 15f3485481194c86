import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeTicket, encodeTicket } from "../../../../shared/wire/ticket_text.ts";

Deno.test("decodeTicket() reads what encodeTicket() wrote", () => {
  const ticket = fc.record({
    expiresAt: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    mac: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  });
  fc.assert(fc.property(ticket, (made) => {
    const text = encodeTicket(made);
    assert.match(text, /^[\w.-]{45,55}$/);
    const read = decodeTicket(text);
    assert.equal(read?.expiresAt, made.expiresAt);
    assert.deepEqual([...read?.mac ?? []], [...made.mac]);
  }));
});

Deno.test("decodeTicket() takes nothing else", () => {
  const good = encodeTicket({ expiresAt: 1_700_000_000_000, mac: new Uint8Array(32).fill(9) });
  for (const text of ["", ".", `${good}A`, good.slice(1) + "!", good.toUpperCase(), ` ${good}`]) {
    assert.equal(decodeTicket(text), undefined, text);
  }
  assert.equal(decodeTicket(`zzzzzzzzzzz.${"A".repeat(43)}`), undefined);
  fc.assert(fc.property(fc.string(), (text) => assert.equal(decodeTicket(text), undefined)));
});
