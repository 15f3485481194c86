// Decryption without a copy for nothing. noise 17.0.3 joins every record that came in two reads,
// only to offer the joined bytes as the place for the plaintext, which node:crypto does not use.
// At a block's pace that is a quarter of all that the receiver allocates, and collecting it costs
// more than copying it. The cipher, the order of records and their checks stay noise's own.

import type { Uint8ArrayList } from "uint8arraylist";

/** Records below this go to noise's small-message cipher, which writes into the place offered. */
const smallRecordBytes = 1_200;
const nowhere = new Uint8Array(0);

type Plaintext = Uint8Array | Uint8ArrayList;

/** What noise's encrypted stream has beside its public face. */
interface NoiseStream {
  readonly handshake: { decrypt(record: Uint8ArrayList, place: Uint8Array): Plaintext };
  decrypt(record: Uint8ArrayList): Plaintext;
}

/**
 * Spares the joined copy of large records. @returns false for a stream of another make, which is
 * left as it is
 */
export function decryptLean(stream: object): boolean {
  if (!isNoiseStream(stream)) return false;
  const decrypt = stream.decrypt.bind(stream);
  stream.decrypt = (record) =>
    record.byteLength < smallRecordBytes
      ? decrypt(record)
      : stream.handshake.decrypt(record, nowhere);
  return true;
}

function isNoiseStream(stream: object): stream is NoiseStream {
  return "handshake" in stream && "decrypt" in stream && typeof stream.decrypt === "function";
}
