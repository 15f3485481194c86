// Addresses of WebSockets as browsers know them (URLs) and as libp2p does (multiaddrs), as text.

const shape =
  /^\/(ip4|ip6|dns|dns4|dns6)\/([a-z0-9.:-]+)\/tcp\/(\d{1,5})\/(ws|wss|tls\/ws)(?:\/p2p\/\w+)?$/i;

/** The URL of a WebSocket multiaddr, or undefined for any other address. @throws never */
export function socketUrl(address: string): string | undefined {
  const match = shape.exec(address);
  if (match === null) return undefined;
  const [, kind, host, port, way] = match;
  return `${way === "ws" ? "ws" : "wss"}://${kind === "ip6" ? `[${host}]` : host}:${port}/`;
}

/** The multiaddr of the WebSocket of a page's own origin. @throws never */
export function originAddress(origin: URL): string {
  const encrypted = origin.protocol === "https:";
  const port = origin.port === "" ? (encrypted ? "443" : "80") : origin.port;
  const tail = `/tcp/${port}/${encrypted ? "tls/ws" : "ws"}`;
  const host = origin.hostname;
  if (host.startsWith("[")) return `/ip6/${host.slice(1, -1)}${tail}`;
  return /^\d+(\.\d+){3}$/.test(host) ? `/ip4/${host}${tail}` : `/dns/${host}${tail}`;
}
