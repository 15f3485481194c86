// The line protocol for netcat and shell scripts, as it is read: bytes come in any cuts, lines
// come out, and between them the bodies of pushes. A line is read to a command by parseLine().
//
//   FILE PUSH 5 a/b.txt\r\n  h e l l o  NODE PING\n
//   `-------- line -------'  `- body -' `- line -'
//
// Invariants: no more than one line and one piece from the socket is kept; what the parser gives
// does not depend on the cuts. A line that only a web page, a TLS client or another binary
// protocol would send is `foreign`: such a connection is closed before anything runs.

import { equals } from "uint8arrays/equals";
import { fromString } from "uint8arrays/from-string";
import { toString } from "uint8arrays/to-string";
import { fileBytesMax, lineBytesMax } from "../base/limits.ts";
import { checkName } from "../base/name.ts";

/** One line as a command. `refused` is answered by `ERR <reason>`. */
export type LineCommand =
  | { [Kind in PlainKind]: { readonly kind: Kind } }[PlainKind]
  | { [Kind in NamedKind]: { readonly kind: Kind; readonly name: string } }[NamedKind]
  | { readonly kind: "file_push"; readonly name: string; readonly size: number }
  | { readonly kind: "auth"; readonly token: string }
  /** `body`: bytes that follow and belong to the refused command. */
  | { readonly kind: "refused"; readonly reason: string; readonly body: number }
  | { readonly kind: "blank" }
  | { readonly kind: "foreign" };

export type PlainKind =
  | "node_status"
  | "node_ping"
  | "node_heal"
  | "netmap_get"
  | "netmap_discover"
  | "topology_walk"
  | "file_list";

export type NamedKind = "file_pull" | "file_delete" | "file_stat";

/** What the reader has: a line without its end, too few bytes, or a line that is too long. */
export type LineRead =
  | { readonly kind: "line"; readonly bytes: Uint8Array }
  | { readonly kind: "more" }
  | { readonly kind: "too_long" };

const plain: Readonly<Record<string, PlainKind>> = {
  "NODE STATUS": "node_status",
  "NODE PING": "node_ping",
  "NODE HEAL": "node_heal",
  "NETMAP GET": "netmap_get",
  "NETMAP DISCOVER": "netmap_discover",
  "TOPOLOGY WALK": "topology_walk",
  "FILE LIST": "file_list",
};

const named: Readonly<Record<string, NamedKind>> = {
  "FILE PULL": "file_pull",
  "FILE DELETE": "file_delete",
  "FILE STAT": "file_stat",
};

const nouns: ReadonlySet<string> = new Set(["NODE", "NETMAP", "TOPOLOGY", "FILE"]);
/** First lines and headers of HTTP, whoever sends them. Source: RFC 9110, 9; RFC 9113, 3.4 */
const httpLine = /^(GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PRI)([ \t]|$)|^host:/i;
const shownCharacters = 256;
const newline = 10;
const carriageReturn = 13;

/** Cuts bytes into lines and bodies. Holds at most a line and the piece fed last. */
export class LineReader {
  #rest: Uint8Array = new Uint8Array();

  /** Bytes fed and not yet taken. */
  get length(): number {
    return this.#rest.length;
  }

  /** Adds bytes as they came. */
  feed(bytes: Uint8Array): void {
    if (this.#rest.length === 0) {
      this.#rest = bytes;
      return;
    }
    const joined = new Uint8Array(this.#rest.length + bytes.length);
    joined.set(this.#rest);
    joined.set(bytes, this.#rest.length);
    this.#rest = joined;
  }

  /** Takes the next line, ended by LF or CRLF. @throws never */
  nextLine(): LineRead {
    const end = this.#rest.indexOf(newline);
    const length = end === -1 ? this.#rest.length : end;
    if (length > lineBytesMax) return { kind: "too_long" };
    if (end === -1) return { kind: "more" };
    const bytes = this.#rest.subarray(0, this.#rest[end - 1] === carriageReturn ? end - 1 : end);
    this.#rest = this.#rest.subarray(end + 1);
    return { kind: "line", bytes };
  }

  /** Takes what came after the last line end, when no more will come. @throws never */
  lastLine(): Uint8Array {
    return this.take(this.#rest.length);
  }

  /** Takes up to `bytesMax` bytes of a body; empty when none are here. @throws never */
  take(bytesMax: number): Uint8Array {
    const taken = this.#rest.subarray(0, bytesMax);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }
}

/** Reads one line, given without its end. @throws never */
export function parseLine(bytes: Uint8Array): LineCommand {
  const text = toString(bytes, "utf8");
  if (httpLine.test(text)) return { kind: "foreign" };
  if (text.includes("\0") || !equals(fromString(text, "utf8"), bytes)) return { kind: "foreign" };
  const [, first = "", afterNoun = ""] = /^[ \t]*([^ \t]*)[ \t]*(.*)$/su.exec(text) ?? [];
  if (first === "") return { kind: "blank" };
  const noun = first.toUpperCase();
  if (noun === "AUTH") return { kind: "auth", token: afterNoun.trim() };
  if (!nouns.has(noun)) return refuse(`unknown command namespace: '${shown(first)}'`);
  const [, word = "", rest = ""] = /^([^ \t]*)[ \t]?(.*)$/su.exec(afterNoun) ?? [];
  const command = `${noun} ${word.toUpperCase()}`;
  if (command === "NODE NEXT") return refuse("ring is self-organising");
  if (command === "FILE PUSH") return parsePush(rest);
  const plainKind = plain[command];
  if (plainKind !== undefined && rest.trim() === "") return { kind: plainKind };
  const namedKind = named[command];
  return namedKind === undefined
    ? refuse(`unknown ${noun} command`)
    : withName(rest, { command, body: 0 }, (name) => ({ kind: namedKind, name }));
}

function parsePush(rest: string): LineCommand {
  const command = "FILE PUSH";
  const [, digits = "", name = ""] = /^[ \t]*([^ \t]*)[ \t]?(.*)$/su.exec(rest) ?? [];
  if (name.trim() === "") return refuse(`missing file name for ${command}`);
  if (!/^\d+$/.test(digits)) return refuse(`invalid size for ${command}`);
  const size = Number(digits);
  if (size > fileBytesMax) {
    const given = shown(digits.replace(/^0+(?=\d)/, ""));
    return refuse(`file size is too large (${given} > ${fileBytesMax})`);
  }
  return withName(name, { command, body: size }, (checked) => {
    return { kind: "file_push", name: checked, size };
  });
}

function withName(
  text: string,
  of: { readonly command: string; readonly body: number },
  make: (name: string) => LineCommand,
): LineCommand {
  if (text.trim() === "") return refuse(`missing file name for ${of.command}`);
  const check = checkName(text);
  return check.ok ? make(check.name) : refuse(shown(check.message), of.body);
}

function refuse(reason: string, body = 0): LineCommand {
  return { kind: "refused", reason, body };
}

/** What a client sent, safe to show in one line of an answer. */
function shown(text: string): string {
  const printable = text.replace(/\p{C}/gu, "?");
  const points = [...printable];
  return points.length > shownCharacters
    ? `${points.slice(0, shownCharacters).join("")}...`
    : printable;
}
