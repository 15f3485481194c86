// Under which address others reach a line listener.

import { isLoopback } from "../seat.ts";

/**
 * `host:port` of a listener on `host`. One on all addresses is reached under the first of the
 * node's own multiaddrs that is not loopback. @throws never
 */
export function lineAddress(host: string, port: number, multiaddrs: readonly string[]): string {
  const bare = host.replace(/^\[|\]$/g, "");
  if (!["0.0.0.0", "::"].includes(bare)) return joined(bare, port);
  const family = bare === "::" ? /^\/ip[46]\/([^/]+)\// : /^\/ip4\/([^/]+)\//;
  const hosts = multiaddrs.flatMap((address) => family.exec(address)?.[1] ?? []);
  return joined(hosts.find((each) => !isLoopback(each)) ?? "127.0.0.1", port);
}

function joined(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
