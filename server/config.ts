// The settings of one start, resolved: flag, else environment, else skyring.json, else default.
// Everything is checked here, with a message that names the setting, its value, where it came
// from and what is allowed. What was not asked for (ports, folder) is chosen in seat.ts.
//
// Relative paths are relative to where the user stands; the default skyring.json and data/ lie
// in the checkout. Pure but for reading the files that are named.

import { isAbsolute, join, resolve } from "node:path";
import { messageOf, SkyringError } from "../shared/base/errors.ts";
import { decodeInvite, isInvite } from "../shared/wire/invite.ts";
import { environmentName, type Setting, type SettingKey, settingTable } from "./setting_table.ts";

/** Value of each setting, as its reader gives it. */
type Values = {
  readonly [Key in SettingKey]: (typeof settingTable)[Key] extends Setting<infer T> ? T : never;
};

/** One start's settings. `undefined` means not asked for. Paths are absolute. */
export interface Config extends Omit<Values, "secretFile" | "tokenFile" | "group" | "capacity"> {
  readonly group: string;
  readonly capacity: number;
  /** Folder that holds the data folders of nodes started without `--data`. */
  readonly dataRoot: string;
}

/** Where the settings come from. `readFile` gives undefined when there is no such file. */
export interface ConfigSources {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where the user stands, and the checkout: absolute folders. */
  readonly userFolder: string;
  readonly checkout: string;
  readonly readFile: (path: string) => string | undefined;
}

/** A setting's text with its origin, for messages. */
interface Given {
  readonly text: string;
  readonly origin: string;
}

type GivenSettings = Partial<Record<SettingKey, Given>>;

const keys = Object.keys(settingTable) as SettingKey[];
const keyOfFlag = new Map<string, SettingKey>(keys.map((key) => [settingTable[key].flag, key]));

/** Resolves and checks all settings. @throws {SkyringError} bad_setting: name, value, origin */
export function resolveConfig(sources: ConfigSources): Config {
  const flags = readFlags(sources.args);
  const environment = readEnvironment(sources.environment);
  const file = readSettingsFile({ ...environment, ...flags }, sources);
  const given = override(override(file, environment), flags);
  const values = readValues(given);
  const absolute = (path: string | undefined) =>
    path === undefined ? undefined : toAbsolute(path, sources.userFolder);
  const { secretFile, tokenFile, ...rest } = values;
  const invited = acceptInvites(values.join, given);
  const config: Config = {
    ...rest,
    group: invited.group ?? values.group ?? "skyring",
    capacity: values.capacity ?? 0,
    join: invited.addresses,
    secrets: values.secrets ?? fromFile("secrets", secretFile, sources) ?? invited.secrets,
    token: values.token ?? fromFile("token", tokenFile, sources),
    data: absolute(values.data),
    config: absolute(values.config),
    tlsCert: absolute(values.tlsCert),
    tlsKey: absolute(values.tlsKey),
    dataRoot: join(sources.checkout, "data"),
  };
  checkTogether(config);
  return config;
}

/** Settings of a lower level under those of a higher one: a secret and its file are one setting. */
function override(lower: GivenSettings, higher: GivenSettings): GivenSettings {
  const kept = { ...lower };
  for (const pair of [["secrets", "secretFile"], ["token", "tokenFile"]] as const) {
    if (pair.some((key) => higher[key])) { for (const key of pair) delete kept[key]; }
  }
  return { ...kept, ...higher };
}

function readFlags(args: readonly string[]): GivenSettings {
  const given: GivenSettings = {};
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    const match = /^--([a-z0-9-]+)(?:=([\s\S]*))?$/.exec(arg);
    if (!match?.[1]) throw badUse(`Cannot use argument "${arg}": flags begin with --`, arg);
    const key = keyOfFlag.get(match[1]);
    if (key === undefined) {
      throw badUse(`Cannot use flag --${match[1]}: unknown${hint(match[1], "--")}`, arg);
    }
    if (given[key]) throw badUse(`Cannot use flag --${match[1]}: it is given twice`, arg);
    const isSwitch = settingTable[key].takes === "switch";
    const text = match[2] ?? (isSwitch ? "true" : args[++at]);
    if (text === undefined) {
      throw badUse(`Cannot use flag --${match[1]}: its value is missing`, arg);
    }
    given[key] = { text, origin: "the command line" };
  }
  return given;
}

function readEnvironment(environment: ConfigSources["environment"]): GivenSettings {
  const given: GivenSettings = {};
  for (const key of keys) {
    const name = environmentName(settingTable[key].flag);
    const text = environment[name];
    if (text !== undefined) given[key] = { text, origin: `environment ${name}` };
  }
  return given;
}

function readSettingsFile(given: GivenSettings, sources: ConfigSources): GivenSettings {
  const asked = given.config?.text;
  const path = asked === undefined
    ? join(sources.checkout, "skyring.json")
    : toAbsolute(asked, sources.userFolder);
  const text = sources.readFile(path);
  if (text === undefined) {
    if (asked === undefined) return {};
    throw badUse(`Cannot read settings file ${path}: no such file`, path);
  }
  const found: GivenSettings = {};
  for (const [name, value] of Object.entries(parseObject(text, path))) {
    const key = keyOfFlag.get(name);
    if (key === undefined || key === "config") {
      throw badUse(`Cannot use "${name}" in ${path}: unknown${hint(name, "")}`, name);
    }
    found[key] = { text: settingText(value, { name, path }), origin: path };
  }
  return found;
}

function parseObject(text: string, path: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw badUse(`Cannot read settings file ${path}: ${messageOf(error)}`, path);
  }
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
    return parsed as Record<string, unknown>;
  }
  throw badUse(`Cannot read settings file ${path}: it holds no JSON object`, path);
}

function settingText(value: unknown, where: { name: string; path: string }): string {
  if (["string", "number", "boolean"].includes(typeof value)) return String(value);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) {
    return value.join(",");
  }
  throw badUse(
    `Cannot use "${where.name}" in ${where.path}: it must be a text, number, truth or list of texts`,
    where.name,
  );
}

function readValues(given: GivenSettings): Values {
  const values: Record<string, unknown> = {};
  for (const key of keys) {
    const setting: Setting<unknown> = settingTable[key];
    const text = given[key]?.text;
    const value = text === undefined ? setting.fallback : setting.read(text);
    if (text !== undefined && value === undefined) throw badValue(key, given[key], setting.allowed);
    values[key] = value;
  }
  return values as Values;
}

function fromFile<Key extends "secrets" | "token">(
  key: Key,
  path: string | undefined,
  sources: ConfigSources,
): Values[Key] | undefined {
  if (path === undefined) return undefined;
  const whole = toAbsolute(path, sources.userFolder);
  const text = sources.readFile(whole)?.trim();
  if (text === undefined) {
    const flag = `${settingTable[key].flag}-file`;
    throw badUse(`Cannot use --${flag} ${whole}: no such file`, whole);
  }
  const setting: Setting<unknown> = settingTable[key];
  const value = setting.read(text);
  if (value === undefined) throw badValue(key, { text: "", origin: whole }, setting.allowed);
  return value as Values[Key];
}

/** Addresses, group and secret out of invite tokens among the nodes to join. */
function acceptInvites(
  join: readonly string[],
  given: GivenSettings,
): { addresses: string[]; group: string | undefined; secrets: string[] | undefined } {
  const addresses: string[] = [];
  let group: string | undefined;
  let secrets: string[] | undefined;
  for (const item of join) {
    if (!isInvite(item)) {
      addresses.push(item);
      continue;
    }
    const read = decodeInvite(item);
    if (!read.ok) throw badUse(read.message, "join");
    const wanted = given.group?.text ?? group ?? read.invite.group;
    if (wanted !== read.invite.group) {
      throw badUse(`Cannot join group ${read.invite.group}: this node is of ${wanted}`, wanted);
    }
    group = read.invite.group;
    secrets ??= read.invite.secret === undefined ? undefined : [read.invite.secret];
    addresses.push(...read.invite.addresses);
  }
  return { addresses, group, secrets };
}

function checkTogether(config: Config): void {
  if ((config.tlsCert === undefined) !== (config.tlsKey === undefined)) {
    throw badUse("Cannot serve HTTPS: tls-cert and tls-key must be given together", "tls-cert");
  }
  const ports = [config.port, config.p2pPort, config.linePort]
    .filter((port) => port !== undefined && port !== 0);
  if (new Set(ports).size !== ports.length) {
    throw badUse("Cannot listen: port, p2p-port and line-port must differ", String(ports));
  }
  if (config.edge) {
    throw badUse("Cannot run as edge node: this version has full nodes only", "edge");
  }
}

function badValue(key: SettingKey, given: Given | undefined, allowed: string): SkyringError {
  const { flag } = settingTable[key];
  // A secret never reaches a log or a terminal through its own error.
  const shown = key === "secrets" || key === "token" ? "(not shown)" : `"${given?.text}"`;
  return new SkyringError(
    "bad_setting",
    `Cannot use ${flag} ${shown} from ${given?.origin}: allowed is ${allowed}`,
    { data: { setting: flag, value: shown, origin: given?.origin ?? "", allowed } },
  );
}

function badUse(message: string, value: string): SkyringError {
  return new SkyringError("bad_setting", message, { data: { value } });
}

function hint(name: string, prefix: string): string {
  const nearest = nearestOf(name, [...keyOfFlag.keys()]);
  return nearest === undefined ? "" : `; did you mean ${prefix}${nearest}?`;
}

/** The candidate nearest to `word`, if it is near at all. @throws never */
export function nearestOf(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Source: Levenshtein 1966, by the row-wise method of Wagner and Fischer 1974. */
function editDistance(first: string, second: string): number {
  let row = Array.from({ length: second.length + 1 }, (_, index) => index);
  for (let i = 1; i <= first.length; i++) {
    const next = [i];
    for (let j = 1; j <= second.length; j++) {
      const swap = (row[j - 1] ?? 0) + (first[i - 1] === second[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[second.length] ?? 0;
}

function toAbsolute(path: string, folder: string): string {
  return isAbsolute(path) ? path : resolve(folder, path);
}

/** The help text of all settings. */
export function settingsHelp(): string {
  const rows = keys.map((key) => {
    const { flag, takes, help } = settingTable[key];
    return [takes === "switch" ? `--${flag}` : `--${flag} ${takes}`, help] as const;
  });
  const width = Math.max(...rows.map(([usage]) => usage.length));
  return rows.map(([usage, help]) => `  ${usage.padEnd(width)}  ${help}`).join("\n");
}
