// Keeps protocols of the libraries (DHT, gossip) from peers that are not admitted. They register
// handlers and topologies with libp2p's registrar; through this one, handlers wait until the
// connection has settled, and topologies hear of a peer only when it may take part.
//
// libp2p's own stream middleware is not used: it appends the handler to the registered list on
// each inbound stream, so a second stream runs the handler twice.

import type { Connection, Stream, StreamHandler, Topology } from "@libp2p/interface";
import type { kadDHT } from "@libp2p/kad-dht";

/** libp2p's registrar, as its services see it. */
type Registrar = Parameters<ReturnType<typeof kadDHT>>[0]["registrar"];

/** Whether a connection may take part; answers once it has settled. Never rejects. */
export type Gate = (connection: Connection) => Promise<boolean>;

/** A registrar whose handlers and topologies are behind `gate`. */
export function gatedRegistrar(registrar: Registrar, gate: Gate): Registrar {
  const guarded = (handler: StreamHandler): StreamHandler => async (stream, connection) => {
    if (await gate(connection)) return await handler(stream, connection);
    refuse(stream);
  };
  const announced = (topology: Topology): Topology => ({
    ...topology,
    onConnect: async (peerId, connection) => {
      if (await gate(connection)) topology.onConnect?.(peerId, connection);
    },
    onDisconnect: (peerId) => topology.onDisconnect?.(peerId),
  });
  return Object.create(registrar, {
    handle: {
      value: (...[protocol, handler, options]: Parameters<Registrar["handle"]>) =>
        registrar.handle(protocol, guarded(handler), options),
    },
    register: {
      value: (...[protocol, topology, options]: Parameters<Registrar["register"]>) =>
        registrar.register(protocol, announced(topology), options),
    },
  });
}

function refuse(stream: Stream): void {
  stream.abort(new Error("Cannot open stream: peer is not admitted"));
}

/** libp2p's components for one service, with a registrar behind `gate`. */
export function gatedComponents<T extends { readonly registrar: Registrar }>(
  components: T,
  gate: Gate,
): T {
  return Object.create(components, {
    registrar: { value: gatedRegistrar(components.registrar, gate) },
  });
}
