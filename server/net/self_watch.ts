// Watches for our own peer id on the other side of a handshake. libp2p refuses such a connection
// right after noise has proven the key, so admission never sees it; the encrypter does. It is
// either ourselves, dialled by one of our own addresses, or a copy of our data folder running
// elsewhere. Ourselves shows on both ends within this process; a copy shows on one end only.

import type {
  ConnectionEncrypter,
  MultiaddrConnection,
  PeerId,
  SecuredConnection,
} from "@libp2p/interface";
import { gatherWrites } from "./gathered_writes.ts";
import { decryptLean } from "./lean_decrypt.ts";

const flushMs = 50;

/** Our peer id was proven by the other side of a connection. */
export interface SelfSighting {
  readonly direction: "inbound" | "outbound";
  readonly address: string;
}

/** An encrypter that reports connections whose remote has our own key. */
export function watchedEncrypter(
  encrypter: ConnectionEncrypter,
  options: { readonly selfId: PeerId; readonly onSelf: (sighting: SelfSighting) => void },
): ConnectionEncrypter {
  type Secure = ConnectionEncrypter["secureInbound"];
  const watch =
    (secure: Secure, direction: "inbound" | "outbound"): Secure =>
    async (connection, secureOptions) => {
      gatherWrites(connection);
      const secured: SecuredConnection = await secure.call(encrypter, connection, secureOptions);
      decryptLean(secured.connection);
      if (secured.remotePeer.equals(options.selfId)) {
        const address = (connection as MultiaddrConnection).remoteAddr?.toString() ?? "unknown";
        options.onSelf({ direction, address });
        // libp2p breaks this connection now: the last gathered bytes of the handshake, by which
        // the other end learns the same, leave first.
        await new Promise((resolve) => setTimeout(resolve, flushMs));
      }
      return secured;
    };
  return Object.create(encrypter, {
    secureInbound: { value: watch(encrypter.secureInbound, "inbound") },
    secureOutbound: { value: watch(encrypter.secureOutbound, "outbound") },
  });
}

/** Pairs sightings: one that finds no counterpart within `pairWithinMs` is a copy. */
export function createSelfWatch(options: {
  readonly onCopy: (sighting: SelfSighting) => void;
  readonly pairWithinMs: number;
}): { seen(sighting: SelfSighting): void; stop(): void } {
  const unpaired = new Map<SelfSighting, ReturnType<typeof setTimeout>>();
  return {
    seen(sighting) {
      for (const [other, timer] of unpaired) {
        if (other.direction === sighting.direction) continue;
        clearTimeout(timer);
        unpaired.delete(other);
        return;
      }
      const report = () => {
        unpaired.delete(sighting);
        options.onCopy(sighting);
      };
      unpaired.set(sighting, setTimeout(report, options.pairWithinMs));
    },
    stop() {
      for (const timer of unpaired.values()) clearTimeout(timer);
      unpaired.clear();
    },
  };
}
