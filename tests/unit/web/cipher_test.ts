// The tab's cipher: the vector of RFC 8439, section 2.8.2, and agreement with node:crypto.

import assert from "node:assert/strict";
import { createCipheriv, randomBytes } from "node:crypto";
import { toHex } from "../../../shared/base/hash.ts";
import { Uint8ArrayList } from "uint8arraylist";
import { fromString } from "uint8arrays/from-string";
import { pureJsCrypto } from "@libp2p/noise";
import { createCipher } from "../../../web/tab/cipher.ts";
import { createNoiseCrypto } from "../../../web/tab/noise_crypto.ts";

const cipher = await createCipher();

/** The same by another hand. */
function sealed(plaintext: Uint8Array, { key, nonce, additional }: {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly additional: Uint8Array;
}): Uint8Array {
  const own = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
  own.setAAD(additional, { plaintextLength: plaintext.length });
  return Buffer.concat([own.update(plaintext), own.final(), own.getAuthTag()]);
}

const randomKey = () => ({
  key: new Uint8Array(randomBytes(32)),
  nonce: new Uint8Array(randomBytes(12)),
  additional: new Uint8Array(randomBytes(32)),
});

Deno.test("createCipher() seals the text of RFC 8439, section 2.8.2", () => {
  const text = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for " +
    "the future, sunscreen would be it.";
  const key = {
    key: Uint8Array.from({ length: 32 }, (_, at) => 0x80 + at),
    nonce: fromString("070000004041424344454647", "hex"),
    additional: fromString("50515253c0c1c2c3c4c5c6c7", "hex"),
  };
  const out = toHex(cipher.encrypt(new TextEncoder().encode(text), key));
  assert.ok(out.startsWith("d31a8d34648e60db7b86afbc53ef7ec2"));
  assert.ok(out.endsWith("1ae10b594f09e26a7e902ecbd0600691"));
});

Deno.test("records of every length, whole and in pieces, are sealed and opened as elsewhere", () => {
  for (const length of [0, 1, 15, 16, 17, 63, 64, 65, 1_000, 65_519]) {
    const key = randomKey();
    const plaintext = new Uint8Array(randomBytes(length));
    const middle = length >> 1;
    const pieces = new Uint8ArrayList(plaintext.subarray(0, middle), plaintext.subarray(middle));
    const expected = sealed(plaintext, key);
    for (const form of [plaintext, pieces]) {
      assert.equal(toHex(cipher.encrypt(form, key)), toHex(expected), `${length} bytes`);
    }
    assert.equal(toHex(cipher.decrypt(expected, key)), toHex(plaintext));
  }
});

Deno.test("a record that was changed, cut short or is too long is not opened", () => {
  const key = randomKey();
  const record = cipher.encrypt(new Uint8Array(100), key);
  for (const at of [0, 50, 99, 100, 115]) {
    const wrong = record.slice();
    wrong[at] = (wrong[at] ?? 0) ^ 1;
    assert.throws(() => cipher.decrypt(wrong, key), /tag is wrong/);
  }
  assert.throws(() => cipher.decrypt(record.subarray(0, 15), key), /tag is wrong/);
  assert.throws(() => cipher.decrypt(record, { ...key, additional: new Uint8Array(1) }), /tag/);
  assert.throws(() => cipher.encrypt(new Uint8Array(65_536), key), RangeError);
  assert.deepEqual(cipher.decrypt(record, key), new Uint8Array(100), "and goes on working");
});

Deno.test("createNoiseCrypto() changes over when the cipher is there, and does without one", async () => {
  const loading = Promise.withResolvers<typeof cipher>();
  let asked = 0;
  const [late, never] = [
    createNoiseCrypto(() => loading.promise),
    createNoiseCrypto(() => (asked++, Promise.reject(new Error("no wasm here")))),
  ];
  late.quicken();
  for (let turn = 0; turn < 2; turn++) {
    never.quicken();
    never.quicken();
    await Promise.resolve();
    await Promise.resolve();
  }
  assert.equal(asked, 2, "once at a time, and again after it failed");
  const { key, nonce, additional } = randomKey();
  const text = new Uint8Array(randomBytes(1_000));
  const record = pureJsCrypto.chaCha20Poly1305Encrypt(text, nonce, additional, key).subarray();
  const agrees = ({ crypto }: typeof late) => {
    const sealed = crypto.chaCha20Poly1305Encrypt(text, nonce, additional, key);
    assert.deepEqual(sealed.subarray(), record);
    const opened = crypto.chaCha20Poly1305Decrypt(record, nonce, additional, key);
    assert.deepEqual(opened.subarray(), text);
  };
  agrees(late);
  let used = 0;
  loading.resolve({
    encrypt: (...of) => (used++, cipher.encrypt(...of)),
    decrypt: (...of) => (used++, cipher.decrypt(...of)),
  });
  await loading.promise;
  agrees(late);
  assert.equal(used, 2);
  agrees(never);
});
