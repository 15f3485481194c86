// Real hosts on loopback for the tests of server/net: made with small deadlines, stopped by the
// test that made them.

import { createServer, type Server } from "node:http";
import { generateKeyPair } from "@libp2p/crypto/keys";
import type { PeerEvent } from "../../../../server/net/network.ts";
import { createHost, type Host, type HostOptions } from "../../../../server/net/host.ts";

/** Options of a host that matter to a test. */
export type TestHostOptions = Partial<HostOptions>;

/** A host that is not started, and its events so far. */
export async function makeHost(
  options: TestHostOptions = {},
): Promise<{ host: Host; events: PeerEvent[] }> {
  const bootBytes = crypto.getRandomValues(new Uint8Array(8));
  const host = await createHost({
    group: "test",
    privateKey: await generateKeyPair("Ed25519"),
    secrets: [],
    bootId: Array.from(bootBytes, (byte) => byte.toString(16).padStart(2, "0")).join(""),
    listen: ["/ip4/127.0.0.1/tcp/0"],
    announce: [],
    mdns: false,
    public: false,
    profile: "local",
    admissionDeadlineMs: 1_500,
    ...options,
  });
  const events: PeerEvent[] = [];
  host.onPeer((event) => events.push(event));
  return { host, events };
}

/** Waits until `condition` holds. @throws when it does not within `withinMs` */
export async function until(
  condition: () => boolean,
  options: { readonly what: string; readonly withinMs?: number },
): Promise<void> {
  const endMs = performance.now() + (options.withinMs ?? 5_000);
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`never happened: ${options.what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Runs a test with hosts that are stopped whatever happens. */
export async function withHosts(
  run: (make: (options?: TestHostOptions) => ReturnType<typeof makeHost>) => Promise<void>,
): Promise<void> {
  const hosts: Host[] = [];
  try {
    await run(async (options) => {
      const made = await makeHost(options);
      hosts.push(made.host);
      return made;
    });
  } finally {
    for (const host of hosts.toReversed()) await host.stop();
  }
}

/** An HTTP server on a free loopback port. */
export async function listenHttp(): Promise<{ server: Server; port: number }> {
  const server = createServer((_request, response) => response.writeHead(404).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { server, port: address.port };
}

/** The first address that a started host listens on. */
export function addressOf(host: Host): string {
  const [address] = host.addresses();
  if (address === undefined) throw new Error("host listens on nothing");
  return address;
}
