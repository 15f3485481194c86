// What makes connections lean, held against the real libraries: an update that moves what is
// patched must fail here and not just become slow.

import assert from "node:assert/strict";
import { noise } from "@libp2p/noise";
import type { ConnectionEncrypter } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import { Uint8ArrayList } from "uint8arraylist";
import { gatherWrites } from "../../../../server/net/gathered_writes.ts";
import { decryptLean } from "../../../../server/net/lean_decrypt.ts";

interface Seen {
  readonly applied: boolean[];
  readonly writes: number[];
}

/** Noise, leaned, that counts the calls to the kernel which its connection makes. */
function leaned(encrypter: ConnectionEncrypter, seen: Seen): ConnectionEncrypter {
  const lean = (secure: ConnectionEncrypter["secureInbound"]): typeof secure =>
  async (
    connection,
    options,
  ) => {
    seen.applied.push(gatherWrites(connection));
    const { socket } = connection as unknown as { socket: { uncork(): void } };
    const uncork = socket.uncork.bind(socket);
    socket.uncork = () => {
      seen.writes.push(performance.now());
      uncork();
    };
    const secured = await secure.call(encrypter, connection, options);
    seen.applied.push(decryptLean(secured.connection));
    return secured;
  };
  return Object.create(encrypter, {
    secureInbound: { value: lean(encrypter.secureInbound) },
    secureOutbound: { value: lean(encrypter.secureOutbound) },
  });
}

async function host(seen: Seen, listen: string[]) {
  return await createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [(components) => leaned(noise()(components), seen)],
    streamMuxers: [yamux()],
  });
}

Deno.test("lean connections carry every size unchanged over the real libraries", async () => {
  const seen: Seen = { applied: [], writes: [] };
  const [one, other] = [await host(seen, []), await host(seen, ["/ip4/127.0.0.1/tcp/0"])];
  try {
    const came = new Uint8ArrayList();
    const whole = Promise.withResolvers<void>();
    const sizes = [1, 1_183, 1_184, 1_200, 65_519, 65_520, 131_038, 262_144];
    const total = sizes.reduce((sum, size) => sum + size, 0);
    await other.handle("/lean", (stream) => {
      stream.addEventListener("message", ({ data }) => {
        came.append(data instanceof Uint8Array ? data : data.subarray());
        if (came.byteLength === total) whole.resolve();
      });
    });
    const stream = await one.dialProtocol(other.getMultiaddrs(), "/lean");
    const sent = new Uint8ArrayList();
    const before = seen.writes.length;
    for (const size of sizes) {
      const bytes = new Uint8Array(size).map((_, at) => (at * 31 + size) & 255);
      sent.append(bytes);
      if (!stream.send(bytes)) {
        await new Promise((resolve) => stream.addEventListener("drain", resolve, { once: true }));
      }
    }
    await whole.promise;
    assert.deepEqual(came.subarray(), sent.subarray());
    assert.ok(seen.applied.length >= 4 && seen.applied.every(Boolean), "both ends were leaned");
    // By piece they would be over thirty: noise makes three pieces of each of its records.
    assert.ok(seen.writes.length - before < 25, `${seen.writes.length - before} writes`);
  } finally {
    await Promise.all([one.stop(), other.stop()]);
  }
});

Deno.test("gatherWrites() writes the frames of one turn with one call, in order", async () => {
  const calls: string[] = [];
  const connection = {
    socket: {
      cork: () => calls.push("cork"),
      uncork: () => calls.push("uncork"),
      write: (piece: Uint8Array) => calls.push(`write ${piece}`) < 4,
    },
    sendData: (_: Uint8ArrayList) => ({ sentBytes: 0, canSendMore: false }),
  };
  assert.ok(gatherWrites(connection));
  const list = (...bytes: number[]) =>
    new Uint8ArrayList(...bytes.map((byte) => new Uint8Array([byte])));
  assert.deepEqual(connection.sendData(list(1, 2)), { sentBytes: 2, canSendMore: true });
  assert.deepEqual(connection.sendData(list(3)), { sentBytes: 1, canSendMore: false });
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(calls, ["cork", "write 1", "write 2", "write 3", "uncork"]);
});

Deno.test("gatherWrites() and decryptLean() leave others as they are", () => {
  assert.equal(gatherWrites({ sendData: () => undefined }), false);
  assert.equal(decryptLean({ decrypt: () => undefined }), false);
});

Deno.test("decryptLean() lets a refused record be refused", () => {
  const stream = {
    handshake: {
      decrypt: (_: Uint8ArrayList, place: Uint8Array): Uint8Array => {
        assert.equal(place.length, 0);
        throw new Error("changed on the way");
      },
    },
    decrypt: (_: Uint8ArrayList): Uint8Array => new Uint8Array(0),
  };
  assert.ok(decryptLean(stream));
  assert.throws(() => stream.decrypt(new Uint8ArrayList(new Uint8Array(2_000))), /changed/);
  assert.equal(stream.decrypt(new Uint8ArrayList(new Uint8Array(20))).length, 0);
});
