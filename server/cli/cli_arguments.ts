// The command line of the client: one verb, its operands, and flags. Flags may stand anywhere;
// `--` ends them. Unknown verbs and flags are refused with the nearest known one.

import { nearestOf } from "../config.ts";
import { CliFailure, exitCodes } from "./cli_failure.ts";

/** A verb's usage, for help and checks. */
export interface VerbUsage {
  readonly usage: string;
  readonly help: string;
  /** Least and most operands. */
  readonly operands: readonly [number, number];
  /** Flags of this verb beside the common ones; a value means it takes one. */
  readonly flags: Readonly<Record<string, "value" | "switch">>;
}

/** A parsed command line. */
export interface CliArguments {
  readonly verb: string;
  readonly operands: readonly string[];
  readonly values: Readonly<Record<string, string>>;
  readonly switches: ReadonlySet<string>;
}

const commonFlags: Readonly<Record<string, "value" | "switch">> = {
  node: "value",
  token: "value",
  json: "switch",
  quiet: "switch",
  help: "switch",
};

const shortFlags: Readonly<Record<string, string>> = {
  r: "recursive",
  q: "quiet",
  h: "help",
  f: "force",
};

/** Parses a command line against the verbs. @throws {CliFailure} usage */
export function parseCliArguments(
  args: readonly string[],
  verbs: Readonly<Record<string, VerbUsage>>,
): CliArguments {
  const operands: string[] = [];
  const verb = findVerb(args, verbs);
  const flags = { ...commonFlags, ...verbs[verb]?.flags };
  const values: Record<string, string> = {};
  const switches = new Set<string>();
  let open = true;
  let verbSeen = false;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (open && arg === "--") {
      open = false;
    } else if (open && arg.startsWith("-") && arg !== "-") {
      const [name, inline] = flagOf(arg);
      const kind = flags[name];
      if (kind === undefined) throw unknownFlag(arg, verb, Object.keys(flags));
      if (kind === "switch") switches.add(name);
      else values[name] = inline ?? takeValue(args, ++at);
    } else if (!verbSeen && arg === verb) {
      verbSeen = true;
    } else {
      operands.push(arg);
    }
  }
  const [least, most] = verbs[verb]?.operands ?? [0, 0];
  if (!switches.has("help") && (operands.length < least || operands.length > most)) {
    throw new CliFailure(exitCodes.usage, `Cannot run ${verb}: usage is ${verbs[verb]?.usage}`);
  }
  return { verb, operands, values, switches };
}

function findVerb(
  args: readonly string[],
  verbs: Readonly<Record<string, VerbUsage>>,
): string {
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg.startsWith("-")) {
      const [name, inline] = flagOf(arg);
      if (commonFlags[name] === "value" && inline === undefined) at++;
      continue;
    }
    if (Object.hasOwn(verbs, arg)) return arg;
    const nearest = nearestOf(arg, Object.keys(verbs));
    const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
    throw new CliFailure(exitCodes.usage, `Cannot run ${arg}: unknown verb${hint}`);
  }
  throw new CliFailure(exitCodes.usage, "Cannot run: no verb was given; see --help");
}

function flagOf(arg: string): readonly [string, string | undefined] {
  if (!arg.startsWith("--")) return [shortFlags[arg.slice(1)] ?? arg.slice(1), undefined];
  const equals = arg.indexOf("=");
  return equals === -1 ? [arg.slice(2), undefined] : [arg.slice(2, equals), arg.slice(equals + 1)];
}

function takeValue(args: readonly string[], at: number): string {
  const value = args[at];
  if (value !== undefined) return value;
  throw new CliFailure(exitCodes.usage, `Cannot use flag ${args[at - 1]}: its value is missing`);
}

function unknownFlag(arg: string, verb: string, known: readonly string[]): CliFailure {
  const nearest = nearestOf(arg.replace(/^-+/, ""), known);
  const hint = nearest === undefined ? "" : `; did you mean --${nearest}?`;
  return new CliFailure(exitCodes.usage, `Cannot use flag ${arg} with ${verb}: unknown${hint}`);
}

/** The help text: of all verbs. */
export function helpText(verbs: Readonly<Record<string, VerbUsage>>): string {
  const rows = Object.values(verbs);
  const width = Math.max(...rows.map(({ usage }) => usage.length));
  return [
    "Usage: deno task cli VERB ...",
    "",
    ...rows.map(({ usage, help }) => `  ${usage.padEnd(width)}  ${help}`),
    "",
    "Every verb takes --node URL (else SKYRING_NODE, else the gateway or first node running under",
    "data/), --token TOKEN, --json and --quiet.",
    "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 not enough nodes, copies or space,",
    "5 not allowed, 130 interrupted",
  ].join("\n");
}
