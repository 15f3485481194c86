// `push`: files, folders (-r) and standard input into the pool. Bytes stream from disk; several
// files of a folder travel at once. Links and special files are skipped, and counted aloud.

import { basename, resolve } from "node:path";
import { messageOf } from "../../shared/base/errors.ts";
import { checkName } from "../../shared/base/name.ts";
import { formatSize } from "../../shared/base/units.ts";
import { waitFor } from "../../web/wait.ts";
import { CliFailure, type ExitCode, exitCodes } from "./cli_failure.ts";
import { type Command, eachAtOnce } from "./command.ts";
import { type Progress, startProgress } from "./progress.ts";
import { checkedName, filePath, parseRemoteFile, type RemoteFile } from "./remote_file.ts";
import { printable } from "./terminal.ts";

/** Read from disk and written to the socket at once. */
const chunkBytes = 256 * 1024;
/** Answers that say "not now": sending the same file again is right whatever was written. */
const waitsFor: ReadonlySet<string> = new Set([
  "not_ready",
  "busy",
  "read_only",
  "no_quorum",
  "outcome_unknown",
  "too_few_copies",
]);
/** A pool that has just started, or lost a node, is ready within seconds. */
const waitMsMax = 60_000;
const retryMs = 1_000;
/** Links and special files that are named, of all that were skipped. */
const skippedShown = 3;
/** Files of a folder that may fail, each named, before the rest is left. */
const failuresMax = 20;

/** A local file and the name that it gets. Size in bytes; undefined for standard input. */
interface Source {
  readonly path: string;
  readonly name: string;
  readonly size: number | undefined;
}

/** Runs `push`. @throws {CliFailure} */
export async function push(command: Command): Promise<ExitCode> {
  const { args, terminal } = command;
  const { sources, skipped } = await collect(command);
  const total = sources.some(({ size }) => size === undefined)
    ? undefined
    : sources.reduce((sum, { size }) => sum + (size ?? 0), 0);
  const count = (done: number) =>
    sources.length === 1 ? printable(sources[0]?.name ?? "") : `${done} of ${sources.length} files`;
  const progress = startProgress({ label: count(0), total, terminal, now: command.now });
  const pushed: RemoteFile[] = [];
  const failed: { readonly name: string; readonly error: unknown }[] = [];
  try {
    await eachAtOnce(sources, async (source) => {
      const file = await pushOne(command, source, progress).catch((error) => {
        // One bad file of many does not keep the others from being stored.
        failed.push({ name: source.name, error });
        const over = failed.length > failuresMax || command.signal.aborted;
        if (sources.length === 1 || over) throw error;
      });
      if (file === undefined) return;
      pushed.push(file);
      progress.label(count(pushed.length));
      if (!terminal.quiet && sources.length === 1) tell(command, progress, file);
    });
  } finally {
    progress.end();
    if (skipped.length > 0 && !terminal.quiet) {
      const some = skipped.slice(0, skippedShown).map(printable).join(", ");
      const more = skipped.length > skippedShown
        ? ` and ${skipped.length - skippedShown} more`
        : "";
      terminal.complain(`skipped links and special files: ${some}${more}\n`);
    }
  }
  if (sources.length > 1 && !terminal.quiet) {
    terminal.say(`pushed ${pushed.length} files, ${formatSize(total ?? 0)}`);
  }
  terminal.give(
    args.switches.has("recursive") || sources.length > 1
      ? { items: pushed, skipped: skipped.length }
      : pushed[0],
  );
  if (failed.length === 0) return exitCodes.done;
  for (const { name, error } of failed) {
    terminal.complain(`skyring: ${printable(name)}: ${messageOf(error)}\n`);
  }
  const first = failed[0]?.error;
  const exitCode = first instanceof CliFailure ? first.exitCode : exitCodes.failed;
  const message = `Cannot push ${failed.length} of ${sources.length} files: see above`;
  throw new CliFailure(exitCode, message);
}

function tell(command: Command, progress: Progress, file: RemoteFile): void {
  progress.end();
  const { least, wanted } = file.replicas;
  command.terminal.say(
    `pushed ${printable(file.name)}  ${formatSize(file.size)}  ` +
      `${least} of ${wanted} copies  ${file.cid}`,
  );
}

/** Pushes one file; while the pool is starting or busy, tries again for a while. */
async function pushOne(
  command: Command,
  source: Source,
  progress: Progress,
): Promise<RemoteFile> {
  const giveUpAt = command.now() + waitMsMax;
  for (;;) {
    let sent = 0;
    try {
      return await pushOnce(command, source, (bytes) => {
        sent += bytes;
        progress.add(bytes);
      });
    } catch (error) {
      const code = error instanceof CliFailure ? error.problem?.["code"] : undefined;
      const again = waitsFor.has(String(code)) && !(source.path === "-" && sent > 0);
      if (!again || command.now() > giveUpAt || command.signal.aborted) throw error;
      progress.skip(-sent);
      progress.label(`${printable(source.name)} waits: ${messageOf(error)}`);
      await waitFor(retryMs, command.signal);
    }
  }
}

async function pushOnce(
  command: Command,
  source: Source,
  onSent: (bytes: number) => void,
): Promise<RemoteFile> {
  const { args, client } = command;
  const query = new URLSearchParams();
  for (const flag of ["replicas", "chunk-size"]) {
    const value = args.values[flag];
    if (value !== undefined) query.set(flag, value);
  }
  const path = `${filePath(source.name)}${query.size > 0 ? `?${query}` : ""}`;
  return parseRemoteFile(
    await client.upload(path, {
      chunks: counted(source.path === "-" ? readStdin() : readFile(source), onSent),
      length: source.size,
      headers: args.switches.has("no-overwrite") ? { "if-none-match": "*" } : {},
    }),
  );
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  onSent: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    yield chunk;
    onSent(chunk.length);
  }
}

/** Exactly `size` bytes, or a failure: a file that changes while it is read is not stored. */
async function* readFile(source: Source): AsyncGenerator<Uint8Array> {
  const file = await open(source.path);
  try {
    let left = source.size ?? 0;
    while (left > 0) {
      const buffer = new Uint8Array(Math.min(chunkBytes, left));
      const count = await file.read(buffer);
      if (count === null) {
        throw new CliFailure(
          exitCodes.failed,
          `Cannot push ${source.path}: it became shorter while it was read`,
        );
      }
      left -= count;
      yield buffer.subarray(0, count);
    }
  } finally {
    file.close();
  }
}

async function* readStdin(): AsyncGenerator<Uint8Array> {
  while (true) {
    const buffer = new Uint8Array(chunkBytes);
    const count = await Deno.stdin.read(buffer);
    if (count === null) return;
    yield buffer.subarray(0, count);
  }
}

async function collect(
  command: Command,
): Promise<{ readonly sources: readonly Source[]; readonly skipped: readonly string[] }> {
  const { args, userFolder } = command;
  const [first = "", second] = args.operands;
  const given = args.values["as"] ?? await secondAsName(command);
  if (
    given !== undefined &&
    args.operands.length > (second !== undefined && !args.values["as"] ? 2 : 1)
  ) {
    throw new CliFailure(exitCodes.usage, "Cannot use --as: it names one file or folder");
  }
  const paths = given === undefined ? args.operands : [first];
  const sources: Source[] = [];
  const skipped: string[] = [];
  for (const operand of paths) {
    if (operand === "-") {
      if (given === undefined) {
        throw new CliFailure(exitCodes.usage, "Cannot push standard input: give it a name");
      }
      sources.push({ path: "-", name: checkedName(given), size: undefined });
      continue;
    }
    const path = resolve(userFolder, operand);
    const info = await statLocal(path);
    if (info.isDirectory) {
      if (!args.switches.has("recursive")) {
        throw new CliFailure(exitCodes.usage, `Cannot push ${operand}: it is a folder, use -r`);
      }
      const name = (given ?? basename(path)).replace(/\/+$/, "");
      const before = sources.length;
      await walk(path, name, { sources, skipped });
      if (sources.length === before) {
        throw new CliFailure(exitCodes.failed, `Cannot push ${operand}: no file lies in it`);
      }
    } else if (info.isFile) {
      sources.push({ path, name: checkedName(given ?? basename(path)), size: info.size });
    } else {
      throw new CliFailure(exitCodes.failed, `Cannot push ${operand}: it is no regular file`);
    }
  }
  return { sources, skipped };
}

/** `push FILE NAME`: the second operand is a name when no such local file exists. */
async function secondAsName(command: Command): Promise<string | undefined> {
  const { args, userFolder } = command;
  const [first, second] = args.operands;
  if (args.operands.length !== 2 || second === undefined) return undefined;
  if (first === "-") return second;
  try {
    await Deno.lstat(resolve(userFolder, second));
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return second;
    throw error;
  }
}

/** Adds the regular files below a folder, in order of name, and to `skipped` what is none. */
async function walk(
  folder: string,
  name: string,
  found: { readonly sources: Source[]; readonly skipped: string[] },
): Promise<void> {
  const entries: Deno.DirEntry[] = [];
  for await (const entry of Deno.readDir(folder)) entries.push(entry);
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = `${folder}/${entry.name}`;
    const inner = name === "" ? entry.name : `${name}/${entry.name}`;
    if (entry.isDirectory) {
      await walk(path, inner, found);
    } else if (entry.isFile) {
      const { size } = await statLocal(path);
      found.sources.push({ path, name: nameOf(path, inner), size });
    } else {
      found.skipped.push(inner);
    }
  }
}

/** The name in the pool of a local file. @throws {CliFailure} usage, with the file's path */
function nameOf(path: string, name: string): string {
  const check = checkName(name);
  if (check.ok) return check.name;
  throw new CliFailure(exitCodes.usage, `Cannot push ${printable(path)}: ${check.message}`);
}

async function statLocal(path: string): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch (cause) {
    throw localFailure(path, cause);
  }
}

async function open(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { read: true });
  } catch (cause) {
    throw localFailure(path, cause);
  }
}

function localFailure(path: string, cause: unknown): CliFailure {
  if (cause instanceof Deno.errors.NotFound) {
    return new CliFailure(exitCodes.notFound, `Cannot push ${path}: no such file`, { cause });
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CliFailure(exitCodes.failed, `Cannot push ${path}: ${reason}`, { cause });
}
