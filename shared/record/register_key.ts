// The text by which the registers know a record: its kind, NUL, its name. Names have no NUL.

import type { RecordKey, RecordKind } from "./value.ts";

const kinds: readonly RecordKind[] = ["file", "set", "member", "key"];

/** Register key of a record. @throws never */
export function registerKey(key: RecordKey): string {
  return `${key.kind}\0${key.name}`;
}

/** The record of a register key, or undefined when it is none. @throws never */
export function recordKeyOf(text: string): RecordKey | undefined {
  const at = text.indexOf("\0");
  const kind = kinds.find((one) => one === text.slice(0, at));
  return at < 0 || kind === undefined ? undefined : { kind, name: text.slice(at + 1) };
}
