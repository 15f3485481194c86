// `ls`, `stat`, `rm`, `mv`: names and what they point to. No file content passes through here:
// a file is moved by naming its content anew and taking the old name away.

import { formatBinarySize, formatCount, formatSize } from "../../shared/base/units.ts";
import { CliFailure, type ExitCode, exitCodes } from "./cli_failure.ts";
import { type Command, eachAtOnce } from "./command.ts";
import {
  checkedName,
  filePath,
  filesBelow,
  listFiles,
  parseRemoteFile,
  type RemoteFile,
  statFile,
} from "./remote_file.ts";
import { printable, tableLines } from "./terminal.ts";

/** Runs `ls [--words WORDS] [PREFIX]`. @throws {CliFailure} */
export async function ls(command: Command): Promise<ExitCode> {
  const { args, client, terminal } = command;
  const files: RemoteFile[] = [];
  const prefix = (args.operands[0] ?? "").normalize("NFC");
  for await (const file of listFiles(client, prefix, args.values["words"])) {
    files.push(file);
  }
  const rows = files.map((file) => [
    formatSize(file.size),
    `${file.replicas.least}/${file.replicas.wanted}`,
    dateOf(file),
    printable(file.name),
  ]);
  for (const line of tableLines(rows)) terminal.say(line);
  terminal.give({ items: files, next: null });
  return exitCodes.done;
}

/** Runs `stat NAME`. @throws {CliFailure} */
export async function stat(command: Command): Promise<ExitCode> {
  const { args, client, terminal } = command;
  const file = await statFile(client, args.operands[0] ?? "");
  const { least, wanted, zones } = file.replicas;
  const rows = [
    ["name", printable(file.name)],
    ["cid", file.cid],
    ["size", sizeInFull(file.size)],
    ["blocks", String(file.blocks)],
    ["copies", `${least} of ${wanted}, over ${formatCount(zones, "zone")}`],
    ["modified", dateOf(file)],
    ["writer", printable(file.writer)],
  ];
  for (const line of tableLines(rows)) terminal.say(line);
  terminal.give(file);
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
    const response = await client.call("DELETE", filePath(name));
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
    }),
  );
  try {
    const response = await client.call("DELETE", `${filePath(from)}?moved=1`, {
      headers: { "if-match": `"${old.cid}"` },
    });
    await response.body?.cancel();
  } catch (error) {
    if (!(error instanceof CliFailure) || error.problem?.["code"] !== "precondition_failed") {
      throw error;
    }
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

function dateOf(file: RemoteFile): string {
  if (file.modifiedAt === 0) return "-";
  return new Date(file.modifiedAt).toISOString().slice(0, 16).replace("T", " ");
}
