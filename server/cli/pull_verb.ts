// `pull`: files and folders (-r) out of the pool. Bytes go to FILE.part with the CID that they
// belong to in FILE.part.cid, and to FILE only when all of them are on disk. A pull that was
// broken off goes on where it ended, unless the file changed meanwhile (If-Range).

import { basename, dirname, join, resolve } from "node:path";
import { formatSize } from "../../shared/base/units.ts";
import { CliFailure, type ExitCode, exitCodes } from "./cli_failure.ts";
import { type Command, eachAtOnce } from "./command.ts";
import { type Progress, startProgress } from "./progress.ts";
import { checkedName, filePath, filesBelow, type RemoteFile, statFile } from "./remote_file.ts";
import { printable } from "./terminal.ts";

/** What one pull did. */
interface Pulled {
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly cid: string;
  /** Bytes that a broken-off pull had left. */
  readonly resumed: number;
}

/** Runs `pull`. @throws {CliFailure} */
export async function pull(command: Command): Promise<ExitCode> {
  return command.args.switches.has("recursive")
    ? await pullFolder(command)
    : await pullFile(command);
}

async function pullFile(command: Command): Promise<ExitCode> {
  const { args, client, terminal, userFolder } = command;
  const [name = "", target] = args.operands;
  const file = await statFile(client, name);
  const progress = startProgress({
    label: printable(file.name),
    total: file.size,
    terminal,
    now: command.now,
  });
  try {
    if (target === "-") {
      await pullToStdout(command, file, progress);
      return exitCodes.done;
    }
    const path = await targetPath(userFolder, target ?? basename(file.name), file);
    const pulled = await pullOne(command, { file, path, progress });
    progress.end();
    const resumed = pulled.resumed > 0 ? `, ${formatSize(pulled.resumed)} of it resumed` : "";
    if (!terminal.quiet) {
      terminal.say(`pulled ${printable(file.name)}  ${formatSize(pulled.size)}${resumed}  ${path}`);
    }
    terminal.give(pulled);
    return exitCodes.done;
  } finally {
    progress.end();
  }
}

async function pullFolder(command: Command): Promise<ExitCode> {
  const { args, client, terminal, userFolder } = command;
  const [operand = "", target] = args.operands;
  const folder = checkedName(operand.replace(/\/+$/, ""));
  const files = await filesBelow(client, folder);
  const root = resolve(userFolder, target ?? basename(folder));
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const pulled: Pulled[] = [];
  const label = () => `${pulled.length} of ${files.length} files`;
  const progress = startProgress({ label: label(), total, terminal, now: command.now });
  try {
    await eachAtOnce(files, async (file) => {
      const path = join(root, checkedName(file.name.slice(folder.length + 1)));
      pulled.push(await pullOne(command, { file, path, progress }));
      progress.label(label());
    });
  } finally {
    progress.end();
  }
  if (!terminal.quiet) {
    terminal.say(`pulled ${pulled.length} files, ${formatSize(total)}, to ${root}`);
  }
  terminal.give({ items: pulled });
  return exitCodes.done;
}

async function targetPath(userFolder: string, target: string, file: RemoteFile): Promise<string> {
  const path = resolve(userFolder, target);
  const isFolder = await Deno.stat(path).then((info) => info.isDirectory, () => false);
  return isFolder ? join(path, basename(file.name)) : path;
}

async function pullToStdout(
  command: Command,
  file: RemoteFile,
  progress: Progress,
): Promise<void> {
  const headers = { "if-match": `"${file.cid}"` };
  const response = await command.client.call("GET", filePath(file.name), { headers });
  let received = 0;
  for await (const chunk of bodyOf(response, file)) {
    await command.terminal.writeBytes(chunk);
    received += chunk.length;
    progress.add(chunk.length);
  }
  if (received !== file.size) throw shortFailure(file, received);
}

async function pullOne(
  command: Command,
  options: { readonly file: RemoteFile; readonly path: string; readonly progress: Progress },
): Promise<Pulled> {
  const { file, path, progress } = options;
  const part = `${path}.part`;
  try {
    await Deno.mkdir(dirname(path), { recursive: true });
    const had = await partLength(part, file);
    // The last byte is asked for again: a range must never be empty.
    const from = Math.max(0, had - 1);
    const response = await command.client.call("GET", filePath(file.name), {
      headers: from > 0 ? { range: `bytes=${from}-`, "if-range": `"${file.cid}"` } : {},
    });
    const start = response.status === 206 ? from : 0;
    const cid = response.headers.get("etag")?.replaceAll('"', "") ?? file.cid;
    await Deno.writeTextFile(`${part}.cid`, cid);
    progress.skip(start);
    const end = await writePart(part, { response, start, file, progress });
    const announced = lengthOf(response, start) ?? file.size;
    if (end !== announced) throw shortFailure(file, end);
    await Deno.rename(part, path);
    await Deno.remove(`${part}.cid`);
    return { name: file.name, path, size: end, cid, resumed: start };
  } catch (error) {
    if (error instanceof CliFailure) throw error;
    if (command.signal.aborted) {
      throw new CliFailure(exitCodes.interrupted, "Interrupted; pull again to go on");
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliFailure(exitCodes.failed, `Cannot pull ${file.name} to ${path}: ${reason}`, {
      cause: error,
    });
  }
}

/** Bytes of a part that belong to this very content; 0 when it is another's or there is none. */
async function partLength(part: string, file: RemoteFile): Promise<number> {
  try {
    const cid = (await Deno.readTextFile(`${part}.cid`)).trim();
    const { size } = await Deno.stat(part);
    return cid === file.cid && size <= file.size ? size : 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** Writes the body from `start` on and syncs it. @returns length of the part */
async function writePart(
  part: string,
  options: {
    readonly response: Response;
    readonly start: number;
    readonly file: RemoteFile;
    readonly progress: Progress;
  },
): Promise<number> {
  const { response, start, file, progress } = options;
  const output = await Deno.open(part, { write: true, create: true });
  try {
    await output.truncate(start);
    await output.seek(start, Deno.SeekMode.Start);
    let end = start;
    for await (const chunk of bodyOf(response, file)) {
      for (let at = 0; at < chunk.length;) at += await output.write(chunk.subarray(at));
      end += chunk.length;
      progress.add(chunk.length);
    }
    await output.sync();
    return end;
  } finally {
    output.close();
  }
}

async function* bodyOf(response: Response, file: RemoteFile): AsyncGenerator<Uint8Array> {
  try {
    if (response.body) yield* response.body;
  } catch (cause) {
    throw new CliFailure(
      exitCodes.failed,
      `Cannot pull ${file.name}: the connection broke; pull again to go on where it ended`,
      { cause },
    );
  }
}

/** Length of the whole file, as this answer has it. */
function lengthOf(response: Response, start: number): number | undefined {
  const length = response.headers.get("content-length");
  return length === null ? undefined : start + Number(length);
}

function shortFailure(file: RemoteFile, received: number): CliFailure {
  return new CliFailure(
    exitCodes.failed,
    `Cannot pull ${file.name}: ${received} of ${file.size} bytes came`,
  );
}
