// `ls`, `stat`, `rm`, `mv`: names and what they point to. No file content passes through here:
// a file is moved by naming its content anew and taking the old name away.

import { formatBinarySize, formatCount, formatSize } from "../../shared/base/units.ts";
import { CliFailure, type ExitCode, exitCodes } from "./cli_failure.ts";
import { type Command, eachAtOnce } from "./command.ts";
import {
  checkedName,
  type Doubts,
  filePath,
  filesBelow,
  listFiles,
  noDoubts,
  orFolder,
  parseRemoteFile,
  type RemoteFile,
  statFile,
} from "./remote_file.ts";
import { printable, tableLines, type Terminal } from "./terminal.ts";

/** Runs `ls [--words WORDS] [PREFIX]`. @throws {CliFailure} */
export async function ls(command: Command): Promise<ExitCode> {
  const { args, client, terminal } = command;
  const files: RemoteFile[] = [];
  const prefix = (args.operands[0] ?? "").normalize("NFC");
  const doubts = noDoubts();
  const { words } = args.values;
  const options = words === undefined ? { doubts } : { words, doubts };
  for await (const file of listFiles(client, prefix, options)) files.push(file);
  const rows = files.map((file) => [
    formatSize(file.size),
    `${doubts.copiesUnknown ? "?" : file.replicas.least}/${file.replicas.wanted}`,
    dateOf(file),
    printable(file.name),
  ]);
  for (const line of tableLines(rows)) terminal.say(line);
  terminal.give({ items: files, next: null });
  if (files.length === 0 && prefix !== "") remark(terminal, `no name begins with ${prefix}`);
  tellDoubts(terminal, doubts);
  return exitCodes.done;
}

/** A node that has just started says less than it will: nobody should take that for a loss. */
function tellDoubts(terminal: Terminal, { incomplete, copiesUnknown }: Doubts): void {
  if (incomplete) remark(terminal, "this node has not heard all names yet: some may be missing");
  if (copiesUnknown) {
    remark(terminal, "this node has not heard from all others yet: copies are not known");
  }
}

function remark(terminal: Terminal, text: string): void {
  if (!terminal.quiet) terminal.complain(`skyring: ${printable(text)}\n`);
}

/** Runs `stat NAME`. @throws {CliFailure} */
export async function stat(command: Command): Promise<ExitCode> {
  const { args, client, terminal } = command;
  const doubts = noDoubts();
  const file = await statFile(client, args.operands[0] ?? "", doubts);
  const { least, wanted, zones } = file.replicas;
  const copies = `${least} of ${wanted}, over ${formatCount(zones, "zone")}`;
  const rows = [
    ["name", printable(file.name)],
    ["cid", file.cid],
    ["size", sizeInFull(file.size)],
    ["blocks", String(file.blocks)],
    ["copies", doubts.copiesUnknown ? `not known yet, of ${wanted}` : copies],
    ["modified", dateOf(file)],
    ["writer", printable(file.writer)],
  ];
  for (const line of tableLines(rows)) terminal.say(line);
  terminal.give(file);
  tellDoubts(terminal, doubts);
  return exitCodes.done;
}

/** Both units, and the bytes where units hide some. */
function sizeInFull(bytes: number): string {
  if (bytes < 1_000) return formatCount(bytes, "byte");
  return `${formatSize(bytes)} (${formatBinarySize(bytes)}, ${bytes} bytes)`;
}

/** Runs `rm NAME...` and `rm -r FOLDER...`. @throws {CliFailure} */
export async function rm(command: Command): Promise<ExitCode> {
  const { args, client, terminal } = command;
  const names: string[] = [];
  for (const operand of args.operands) {
    if (!args.switches.has("recursive")) names.push(checkedName(operand));
    else for (const file of await filesBelow(client, operand)) names.push(file.name);
  }
  const removed: string[] = [];
  await eachAtOnce(names, async (name) => {
    const response = await client.call("DELETE", filePath(name)).catch(async (error) => {
      throw await orFolder(client, { name, error });
    });
    await response.body?.cancel();
    removed.push(name);
    if (!terminal.quiet) terminal.say(`removed ${printable(name)}`);
  });
  terminal.give({ removed });
  return exitCodes.done;
}

/** Runs `mv OLD NEW`: refuses to overwrite without --force. @throws {CliFailure} */
export async function mv(command: Command): Promise<ExitCode> {
  const { args, client, terminal } = command;
  const [from = "", to = ""] = args.operands.map(checkedName);
  if (from === to) throw new CliFailure(exitCodes.usage, "Cannot move a file onto itself");
  const old = await statFile(client, from);
  const query = new URLSearchParams({
    from: old.cid,
    replicas: String(Math.max(1, old.replicas.wanted)),
  });
  const moved = parseRemoteFile(
    await client.callJson("PUT", `${filePath(to)}?${query}`, {
      headers: args.switches.has("force") ? {} : { "if-none-match": "*" },
    }).catch((error) => {
      throw isRefused(error) ? taken(to, error) : error;
    }),
  );
  try {
    const response = await client.call("DELETE", `${filePath(from)}?moved=1`, {
      headers: { "if-match": `"${old.cid}"` },
    });
    await response.body?.cancel();
  } catch (error) {
    if (!isRefused(error)) throw error;
    throw new CliFailure(
      exitCodes.failed,
      `Cannot remove ${from}: it changed meanwhile; ${to} holds what it was`,
      { cause: error },
    );
  }
  if (!terminal.quiet) terminal.say(`moved ${printable(from)} to ${printable(to)}`);
  terminal.give(moved);
  return exitCodes.done;
}

function isRefused(error: unknown): boolean {
  if (!(error instanceof CliFailure)) return false;
  return ["exists", "precondition_failed"].includes(String(error.problem?.["code"]));
}

function taken(name: string, cause: unknown): CliFailure {
  const message = `Cannot move onto ${name}: there is such a file; --force replaces it`;
  return new CliFailure(exitCodes.failed, message, { cause });
}

function dateOf(file: RemoteFile): string {
  if (file.modifiedAt === 0) return "-";
  return new Date(file.modifiedAt).toISOString().slice(0, 16).replace("T", " ");
}
