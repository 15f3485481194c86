// One client of the line protocol: reads commands one after another, runs each to its end and
// answers it. The grammar is shared/wire/line_command.ts, the words are line_text.ts.
//
// Invariants: one command at a time, in the order sent; after FILE PUSH exactly the announced
// bytes are taken, whatever becomes of them; what broke off in the middle of a download or list
// ends by a reset, never by a clean end; nothing runs before AUTH where it is demanded.

import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import { lineIdleMs } from "../../shared/base/limits.ts";
import { type LineCommand, LineReader, parseLine } from "../../shared/wire/line_command.ts";
import { isToken } from "../http/auth.ts";
import type { LineService } from "./line_service.ts";
import type { LineSocket } from "./line_socket.ts";
import {
  errorText,
  fileText,
  listHeader,
  netmapText,
  pushedText,
  statText,
  statusText,
  walkText,
} from "./line_text.ts";

export interface SessionOptions {
  readonly service: LineService;
  /** The token that the first line must bring; null where none is needed. */
  readonly token: string | null;
  /** Shorter, for tests. */
  readonly idleMs?: number;
}

interface Session extends SessionOptions {
  readonly socket: LineSocket;
  readonly reader: LineReader;
  /** What the client gave with AUTH. */
  given: string | undefined;
  admitted: boolean;
}

/** What follows a command. */
type After = "next" | "end";

/** Serves one connection until it is over. @throws never */
export async function runSession(socket: LineSocket, options: SessionOptions): Promise<void> {
  const session: Session = {
    ...options,
    socket,
    reader: new LineReader(),
    given: undefined,
    admitted: options.token === null,
  };
  let after: After = "next";
  while (after === "next" && !socket.signal.aborted) {
    after = await step(session);
  }
  await socket.end();
}

async function step(session: Session): Promise<After> {
  const { socket, reader } = session;
  const read = reader.nextLine();
  if (read.kind === "line") return await obey(session, parseLine(read.bytes));
  if (read.kind === "too_long") return await refuse(session, "line is too long", "end");
  const piece = await socket.read(session.idleMs ?? lineIdleMs);
  if (piece === "idle") return await refuse(session, "connection is idle", "end");
  if (piece !== "end") {
    reader.feed(piece);
    return "next";
  }
  // A line that was cut off may be the beginning of another one: it is not run.
  const rest = parseLine(reader.lastLine());
  if (rest.kind === "blank" || rest.kind === "foreign") return "end";
  return await refuse(session, "last line has no end", "end");
}

async function obey(session: Session, command: LineCommand): Promise<After> {
  if (command.kind === "blank") return "next";
  if (command.kind === "foreign") {
    session.socket.destroy();
    return "end";
  }
  if (command.kind === "auth") return await authenticate(session, command.token);
  if (!session.admitted) return await refuse(session, "AUTH is needed first", "end");
  if (command.kind === "file_push") return await push(session, command);
  if (command.kind === "file_pull") return await pull(session, command.name);
  if (command.kind === "file_list") return await list(session);
  if (command.kind === "refused") {
    await refuse(session, command.reason, "next");
    return await drain(session, command.body);
  }
  try {
    await session.socket.write(await answerOf(session, command));
  } catch (error) {
    await refuse(session, reasonOf(error), "next");
  }
  return "next";
}

async function answerOf(
  { service, given, socket }: Session,
  command: Exclude<
    LineCommand,
    { kind: "auth" | "blank" | "foreign" | "refused" | "file_push" | "file_pull" | "file_list" }
  >,
): Promise<string> {
  switch (command.kind) {
    case "node_ping":
      return "PONG\n";
    case "node_status":
      return statusText(await service.view(given));
    case "node_heal":
      await service.heal({ token: given, signal: socket.signal });
      return "OK network healed\n";
    case "netmap_get":
      return netmapText(await service.view(given));
    case "netmap_discover":
      await service.discover(given);
      return "OK\n";
    case "topology_walk":
      return walkText(await service.view(given));
    case "file_delete":
      await service.remove(command.name, given);
      return "OK\n";
    case "file_stat":
      return statText(await service.stat(command.name, given));
    default:
      return command satisfies never;
  }
}

async function authenticate(session: Session, token: string): Promise<After> {
  if (session.token !== null && !isToken(token, session.token)) {
    return await refuse(session, "wrong token", "end");
  }
  session.admitted = true;
  session.given = token === "" ? undefined : token;
  await session.socket.write("OK\n");
  return "next";
}

async function push(
  session: Session,
  command: { readonly name: string; readonly size: number },
): Promise<After> {
  const { service, socket, given: token } = session;
  const body = { left: command.size, cut: false };
  try {
    // A client that is gone once all is sent has still sent it: the push then goes on.
    const signal = new AbortController().signal;
    const { blocks } = await service.push(takeBody(session, body), { ...command, token, signal });
    await socket.write(pushedText(command.size, blocks));
  } catch (error) {
    await refuse(session, pushReason(error, command.size), body.cut ? "end" : "next");
    if (body.cut) return "end";
  }
  return await drain(session, body.left);
}

/** The announced bytes as they come. @throws {SkyringError} short_body, timeout */
async function* takeBody(
  { socket, reader, idleMs }: Session,
  body: { left: number; cut: boolean },
): AsyncGenerator<Uint8Array> {
  while (body.left > 0) {
    if (reader.length === 0) {
      const piece = await socket.read(idleMs ?? lineIdleMs);
      if (piece === "idle" || piece === "end") {
        body.cut = true;
        throw piece === "idle"
          ? new SkyringError("timeout", "connection is idle")
          : new SkyringError("short_body", `body ended ${body.left} bytes short`);
      }
      reader.feed(piece);
    }
    const bytes = reader.take(body.left);
    body.left -= bytes.length;
    yield bytes;
  }
}

/** Reads what is left of a body that nobody wants. */
async function drain(session: Session, bytes: number): Promise<After> {
  const body = { left: bytes, cut: false };
  try {
    for await (const _ of takeBody(session, body)) continue;
    return "next";
  } catch {
    return "end"; // the client went in the middle of its body
  }
}

async function pull(session: Session, name: string): Promise<After> {
  const { service, socket, given: token } = session;
  let sent = 0;
  try {
    const file = await service.pull(name, { token, signal: socket.signal });
    for await (const bytes of file.bytes) {
      sent += bytes.length;
      if (!await socket.write(bytes)) return "end";
    }
    if (sent !== file.size) throw new SkyringError("corrupt", "the file has another size");
  } catch (error) {
    if (sent === 0) await refuse(session, reasonOf(error), "end");
    else socket.reset();
  }
  return "end";
}

async function list(session: Session): Promise<After> {
  const { service, socket, given: token } = session;
  let begun = false;
  try {
    const view = await service.view(token);
    let text = listHeader;
    for await (const file of service.list({ token, signal: socket.signal })) {
      text += fileText(file, view);
      if (text.length < 32_768) continue;
      begun = true;
      if (!await socket.write(text)) return "end";
      text = "";
    }
    await socket.write(text);
    return "next";
  } catch (error) {
    if (!begun) return await refuse(session, reasonOf(error), "next");
    socket.reset();
    return "end";
  }
}

async function refuse(session: Session, reason: string, after: After): Promise<After> {
  await session.socket.write(errorText(reason));
  return after;
}

function reasonOf(error: unknown): string {
  if (error instanceof SkyringError && error.code === "not_found") return "file not found";
  return messageOf(error);
}

/** A size that the pool cannot take is said in the protocol's own words. */
function pushReason(error: unknown, size: number): string {
  if (!(error instanceof SkyringError)) return messageOf(error);
  const limit = error.code === "full" ? error.data["freeBytes"] : error.data["limit"];
  const fits = typeof limit !== "number" || limit >= size;
  if (fits || !["full", "too_large"].includes(error.code)) return error.message;
  return `file size is too large (${size} > ${limit})`;
}
