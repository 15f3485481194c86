// Every start setting of a node: its flag, what it takes, what is allowed, its default. The
// environment name and the key in skyring.json follow from the flag: `p2p-port` is
// SKYRING_P2P_PORT and "p2p-port". config.ts resolves them; nothing else knows their names.

import { isIP } from "node:net";
import { GiB, replicasDefault, replicasMax } from "../shared/base/limits.ts";
import { durationExamples, parseDuration, parseSize, sizeExamples } from "../shared/base/units.ts";

/** One setting. `read` gives undefined for a text that is not allowed. */
export interface Setting<T> {
  readonly flag: string;
  /** Placeholder for the help text; a switch takes no value on the command line. */
  readonly takes: string | "switch";
  readonly allowed: string;
  readonly help: string;
  readonly read: (text: string) => T | undefined;
  readonly fallback: T;
}

const portsMax = 65_535;
const labelPattern = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const hostPattern = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

function setting<T>(
  flag: string,
  takes: string,
  rest: Omit<Setting<T>, "flag" | "takes">,
): Setting<T> {
  return { flag, takes, ...rest };
}

function label(flag: string, help: string): Setting<string | undefined> {
  const allowed = "1 to 63 letters, digits, '.', '_' or '-', with a letter or digit at both ends";
  const read = (text: string) => labelPattern.test(text) ? text : undefined;
  return setting<string | undefined>(flag, "NAME", { allowed, help, read, fallback: undefined });
}

function port(flag: string, help: string): Setting<number | undefined> {
  return setting<number | undefined>(flag, "PORT", {
    allowed: `0 (any free one) to ${portsMax}`,
    help,
    read: (text) => /^\d{1,5}$/.test(text) && Number(text) <= portsMax ? Number(text) : undefined,
    fallback: undefined,
  });
}

function host(flag: string, help: string): Setting<string> {
  return setting<string>(flag, "ADDRESS", {
    allowed: "an IP address or a host name",
    help,
    read: (text) => isIP(text) !== 0 || hostPattern.test(text) ? text : undefined,
    fallback: "127.0.0.1",
  });
}

function file(flag: string, help: string): Setting<string | undefined> {
  return setting<string | undefined>(flag, "FILE", {
    allowed: "a path",
    help,
    read: (text) => text === "" || text.includes("\0") ? undefined : text,
    fallback: undefined,
  });
}

function size(
  flag: string,
  help: string,
  range: { readonly min: number; readonly fallback: number | undefined },
): Setting<number | undefined> {
  return setting<number | undefined>(flag, "SIZE", {
    allowed: `${sizeExamples}, at least ${range.min}`,
    help,
    read: (text) => within(parseSize(text.replace(/\/s$/, "")), range.min),
    fallback: range.fallback,
  });
}

function duration(
  flag: string,
  help: string,
  range: { readonly minMs: number; readonly fallback: number },
): Setting<number> {
  return setting<number>(flag, "TIME", {
    allowed: `${durationExamples}, at least ${range.minMs / 1_000}s`,
    help,
    read: (text) => within(parseDuration(text), range.minMs),
    fallback: range.fallback,
  });
}

function within(value: number | undefined, min: number): number | undefined {
  return value !== undefined && value >= min ? value : undefined;
}

function toggle(flag: string, help: string): Setting<boolean> {
  return setting<boolean>(flag, "switch", {
    allowed: "true, false, 1, 0, on, off or nothing",
    help,
    read: (text) => {
      if (["", "1", "true", "on"].includes(text)) return true;
      return ["0", "false", "off"].includes(text) ? false : undefined;
    },
    fallback: false,
  });
}

function oneOf<const T extends string>(
  flag: string,
  choices: readonly [T, ...T[]],
  help: string,
): Setting<T> {
  return setting<T>(flag, choices.join("|"), {
    allowed: choices.join(", "),
    help,
    read: (text) => choices.find((choice) => choice === text),
    fallback: choices[0],
  });
}

/** A comma-separated list; blanks around the items are dropped. */
function list(
  flag: string,
  takes: string,
  rest: { readonly help: string; readonly allowed: string; readonly fits: RegExp },
): Setting<readonly string[]> {
  const read = (text: string) => {
    const items = text.split(",").map((item) => item.trim()).filter((item) => item !== "");
    return items.every((item) => rest.fits.test(item)) ? items : undefined;
  };
  return setting<readonly string[]>(flag, takes, {
    allowed: rest.allowed,
    help: rest.help,
    read,
    fallback: [],
  });
}

/** One secret, or `new,old` while it is being changed; newest first. */
const secretSetting = setting<readonly string[] | undefined>("secret", "TEXT", {
  allowed: "1 to 256 characters without commas or blanks, or two of them as new,old",
  help: "group secret, proved by every peer beyond loopback; new,old rotates",
  read: (text) => {
    const parts = text.split(",");
    return parts.length <= 2 && parts.every(isPrintable) ? parts : undefined;
  },
  fallback: undefined,
});

const tokenSetting = setting<string | undefined>("token", "TEXT", {
  allowed: "1 to 256 printable characters without commas or blanks",
  help: "admin token, needed beyond loopback",
  read: (text) => isPrintable(text) ? text : undefined,
  fallback: undefined,
});

function isPrintable(text: string): boolean {
  return /^[!-+\--~]{1,256}$/.test(text);
}

/** All settings by their key in Config, in the order of the help text. */
export const settingTable = {
  name: label("name", "node name (default node-1, node-2 ...)"),
  group: { ...label("group", "group of nodes that share storage"), fallback: "skyring" },
  secrets: secretSetting,
  secretFile: file("secret-file", "file that holds the group secret"),
  token: tokenSetting,
  tokenFile: file("token-file", "file that holds the admin token"),
  host: host("host", "address to listen on"),
  port: port("port", "HTTP and libp2p over WebSockets (default 8080 or the next free one)"),
  p2pPort: port("p2p-port", "libp2p over TCP (default 10090 or the next free one)"),
  linePort: port("line-port", "line protocol (default off)"),
  lineHost: host("line-host", "address for the line protocol"),
  join: list("join", "LIST", {
    help: "nodes to join: URLs, multiaddrs or invite tokens, separated by commas",
    allowed: "URLs (http://...), multiaddrs (/ip4/...) or invite tokens (sky1...)",
    fits: /^(?:https?:\/\/[^\s/]+\/?|\/(?:ip4|ip6|dns4?|dns6|dnsaddr)\/\S+|sky1[a-z0-9]+)$/,
  }),
  data: file("data", "data folder (default data/<name>)"),
  capacity: size("capacity", "space for blocks, hard limit", {
    min: 2 ** 20,
    fallback: 10 * GiB,
  }),
  replicas: setting<number>("replicas", "N", {
    allowed: `1 to ${replicasMax}`,
    help: "copies of each block",
    read: (text) => /^[1-9]$/.test(text) && Number(text) <= replicasMax ? Number(text) : undefined,
    fallback: replicasDefault,
  }),
  zone: { ...label("zone", "failure domain (default: this machine)"), flag: "zone" },
  graceMs: duration("grace", "a node dead longer is expelled and its data copied", {
    minMs: 1_000,
    fallback: 30_000,
  }),
  keepMs: duration("keep", "how long unreferenced blocks stay", {
    minMs: 0,
    fallback: 86_400_000,
  }),
  repairRate: size("repair-rate", "bytes a second for repair (default unlimited)", {
    min: 2 ** 16,
    fallback: undefined,
  }),
  allowHosts: list("allow-host", "LIST", {
    help: "further names under which HTTP may be asked for",
    allowed: "host names separated by commas",
    fits: hostPattern,
  }),
  advertise: list("advertise", "LIST", {
    help: "URLs or multiaddrs under which others reach this node",
    allowed: "URLs (http://...) or multiaddrs (/ip4/...) separated by commas",
    fits: /^(?:https?:\/\/[^\s/]+\/?|\/(?:ip4|ip6|dns4?|dns6)\/\S+)$/,
  }),
  public: toggle("public", "strangers may read blocks by CID"),
  control: oneOf("control", ["any", "self"], "who may stop, resize or send away this node"),
  noMdns: toggle("no-mdns", "do not look for nodes on the local network"),
  edge: toggle("edge", "one HTTP port, memory only, no vote (not in this version)"),
  log: oneOf("log", ["text", "json"], "form of log lines"),
  logLevel: oneOf("log-level", ["info", "debug", "warn", "error"], "least level that is logged"),
  config: file("config", "settings file (default skyring.json)"),
  tlsCert: file("tls-cert", "certificate chain (PEM) for HTTPS"),
  tlsKey: file("tls-key", "private key (PEM) for HTTPS"),
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

export type SettingKey = keyof typeof settingTable;

/** Environment variable of a setting. */
export function environmentName(flag: string): string {
  return `SKYRING_${flag.toUpperCase().replaceAll("-", "_")}`;
}
