// What SQLite's errors mean to us. The library gives the primary result code, or only its text
// when the failure came while preparing: both are judged here and nowhere else.
// Source: https://sqlite.org/rescode.html

import type { Failure } from "./database_messages.ts";

const kindByCode: ReadonlyMap<number, Failure["kind"]> = new Map([
  [10, "disk"], // SQLITE_IOERR, with all its extended codes (fsync, write, short read)
  [11, "corrupt"], // SQLITE_CORRUPT
  [13, "full"], // SQLITE_FULL
  [14, "disk"], // SQLITE_CANTOPEN
  [26, "corrupt"], // SQLITE_NOTADB
]);

const kindByText: readonly (readonly [string, Failure["kind"]])[] = [
  ["disk I/O error", "disk"],
  ["database disk image is malformed", "corrupt"],
  ["malformed database schema", "corrupt"],
  ["database or disk is full", "full"],
  ["unable to open database file", "disk"],
  ["file is not a database", "corrupt"],
];

/** Judges anything thrown by the SQLite library. @throws never */
export function failureOf(thrown: unknown): Failure {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = errcodeOf(thrown);
  const byCode = code === undefined ? undefined : kindByCode.get(code & 0xff);
  const byText = kindByText.find(([text]) => message.includes(text))?.[1];
  return { kind: byCode ?? byText ?? "statement", message };
}

function errcodeOf(thrown: unknown): number | undefined {
  if (typeof thrown !== "object" || thrown === null || !("errcode" in thrown)) return undefined;
  return typeof thrown.errcode === "number" ? thrown.errcode : undefined;
}
