// A libp2p peer without Skyring's manners: it opens any protocol and sends any bytes.

import type { Connection, Libp2p, PrivateKey, Stream } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { identify } from "@libp2p/identify";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";

/** A plain libp2p node that listens on nothing. The caller stops it. */
export async function makeRawPeer(privateKey?: PrivateKey): Promise<Libp2p> {
  return await createLibp2p({
    ...(privateKey === undefined ? {} : { privateKey }),
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  });
}

/** Connects a raw peer to an address. */
export async function rawDial(peer: Libp2p, address: string): Promise<Connection> {
  return await peer.dial(multiaddr(address));
}

/** Everything the other side sends until the stream ends, and how it ended. */
export function record(stream: Stream): { bytes: () => Uint8Array; ended: Promise<string> } {
  const pieces: Uint8Array[] = [];
  stream.addEventListener("message", ({ data }) => {
    pieces.push(data instanceof Uint8Array ? data : data.subarray());
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  stream.addEventListener("close", () => resolve(stream.status));
  if (stream.status !== "open") resolve(stream.status);
  return { bytes: () => concat(pieces), ended: promise };
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, each) => sum + each.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}
