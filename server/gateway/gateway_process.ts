// The gateway as a process: its flags, its signals, what it prints, its exit code (0 stopped, 1
// failed, 2 refused to start). Its lock file lies under data/gateway/, where the command line
// client finds it; nothing else of it is on disk.

import { join } from "node:path";
import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import type { Config } from "../config.ts";
import { type FolderLock, holdersIn, lockFolder } from "../disk/folder_lock.ts";
import { writeSecret } from "../disk/secret_file.ts";
import { createStderrLog } from "../log.ts";
import { readProcessConfig } from "../process_config.ts";
import { gatewayFolder } from "./gateway_folder.ts";
import { type Gateway, type GatewayOptions, startGateway } from "./gateway.ts";

const defaultPort = 8_000;
const linePortOffset = 100;
const fallbackNode = "http://127.0.0.1:8080";
const help = `Usage: deno task gateway [--port 8000] [--nodes URL,URL] [flags]

  --nodes URL,URL   nodes to begin with (default: those that run under data/)
  --port PORT       HTTP (default ${defaultPort})
  --line-port PORT  line protocol (default the HTTP port + ${linePortOffset})
  --host, --line-host, --token, --token-file, --allow-host, --public, --secret,
  --tls-cert, --tls-key, --log, --log-level, --config: as of a node`;

/** Runs a gateway until it is told to stop. @returns the exit code; never throws */
export async function runGatewayProcess(
  args: readonly string[],
  options: { readonly dataRoot: string },
): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(help);
    return 0;
  }
  const stopped = signalled();
  try {
    const { nodes, rest } = takeNodes(args);
    const config = readConfig(rest);
    const given = nodes ?? await runningNodes(options.dataRoot);
    const running = await startSeated({ config, nodes: given, dataRoot: options.dataRoot });
    const { http, line } = running.gateway;
    console.log(`Skyring gateway, pid ${Deno.pid}\n  dashboard  ${http}/\n  line       ${line}`);
    console.log(`  nodes      ${given.join(", ")}`);
    await stopped;
    await running.stop();
    return 0;
  } catch (error) {
    console.error(`skyring: ${messageOf(error)}`);
    const refused = error instanceof SkyringError && ["bad_setting", "locked"].includes(error.code);
    return refused ? 2 : 1;
  }
}

/** What a gateway is told beside its settings. */
export interface SeatedGateway {
  readonly config: Config;
  readonly nodes: readonly string[];
  readonly dataRoot: string;
  readonly port?: number;
  readonly routes?: GatewayOptions["routes"];
}

/**
 * Starts a gateway and lets the command line client find it.
 * @throws {SkyringError} as startGateway(), and locked
 */
export async function startSeated(
  options: SeatedGateway,
): Promise<{ readonly gateway: Gateway; stop(): Promise<void> }> {
  const { config } = options;
  const port = options.port ?? config.port ?? defaultPort;
  const token = config.token ?? null;
  const folder = join(gatewayFolder(options.dataRoot), String(port));
  const lock = await lockFolder(folder);
  try {
    const gateway = await startGateway({
      host: config.host,
      port,
      lineHost: config.lineHost,
      linePort: options.port === undefined && config.linePort !== undefined
        ? config.linePort
        : port + linePortOffset,
      nodes: options.nodes,
      token,
      allowHosts: config.allowHosts,
      isPublic: config.public,
      hasSecret: config.secrets !== undefined,
      ...tlsOf(config),
      log: createStderrLog({ format: config.log, level: config.logLevel }),
      ...(options.routes === undefined ? {} : { routes: options.routes }),
    });
    if (token !== null) await writeSecret(folder, "token", token);
    await publish(lock, { gateway, config });
    return {
      gateway,
      stop: async () => {
        await gateway.stop();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function publish(
  lock: FolderLock,
  { gateway, config }: { readonly gateway: Gateway; readonly config: Config },
): Promise<void> {
  await lock.publish({
    ...{ pid: Deno.pid, bootId: crypto.randomUUID(), name: "gateway", group: config.group },
    ...{ id: "", http: gateway.http, p2p: [], line: gateway.line, startedAt: Date.now() },
  });
}

function tlsOf(config: Config): Pick<GatewayOptions, "tls"> {
  if (config.tlsCert === undefined || config.tlsKey === undefined) return {};
  const [cert, key] = [config.tlsCert, config.tlsKey].map((path) => Deno.readTextFileSync(path));
  return { tls: { cert: cert ?? "", key: key ?? "" } };
}

function takeNodes(
  args: readonly string[],
): { readonly nodes: readonly string[] | undefined; readonly rest: readonly string[] } {
  const at = args.findIndex((arg) => /^--nodes(=|$)/.test(arg));
  if (at === -1) return { nodes: undefined, rest: args };
  const inline = args[at]?.includes("=") ?? false;
  const text = inline ? args[at]?.slice("--nodes=".length) : args[at + 1];
  const rest = args.filter((_, index) => index !== at && (inline || index !== at + 1));
  return { nodes: originsOf(text ?? ""), rest };
}

function originsOf(text: string): readonly string[] {
  const items = text.split(",").map((item) => item.trim()).filter((item) => item !== "");
  const origins = items.map((item) => {
    const url = /^https?:\/\//.test(item) ? item : `http://${item}`;
    if (URL.canParse(url)) return new URL(url).origin;
    throw badNodes(item);
  });
  if (origins.length === 0) throw badNodes(text);
  return [...new Set(origins)];
}

function badNodes(text: string): SkyringError {
  return new SkyringError(
    "bad_setting",
    `Cannot use nodes "${text}": allowed are URLs of nodes (http://host:port), with commas between`,
    { data: { setting: "nodes", value: text } },
  );
}

async function runningNodes(dataRoot: string): Promise<readonly string[]> {
  const running = (await holdersIn(dataRoot)).flatMap(({ http }) => http ?? []);
  return running.length > 0 ? running.map((url) => new URL(url).origin) : [fallbackNode];
}

const foreignFlags: readonly (keyof Config)[] = ["name", "p2pPort", "data", "zone"];

function readConfig(args: readonly string[]): Config {
  const config = readProcessConfig(args);
  for (const key of foreignFlags) {
    if (config[key] === undefined) continue;
    const text = `Cannot run as gateway: ${key} is a setting of a node`;
    throw new SkyringError("bad_setting", text, { data: { setting: key } });
  }
  return config;
}

/** Resolves at the first signal that asks it to stop; a second one ends it at once. */
function signalled(): Promise<void> {
  return new Promise((resolve) => {
    let told = false;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, () => {
        if (told && signal === "SIGTERM") Deno.exit(130);
        told = true;
        resolve();
      });
    }
  });
}
