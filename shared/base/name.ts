// File names: UTF-8 in NFC, `/` between folders, at most nameBytesMax bytes. What a file system
// or a web page could mistake for something else is refused: `.`, `..`, empty segments, control
// characters, lone surrogates. One spelling per name: other Unicode forms are brought to NFC.

import { fromString } from "uint8arrays/from-string";
import { nameBytesMax } from "./limits.ts";

/** Why a name was refused. */
export type NameFault = "empty" | "too_long" | "bad_segment" | "control_character" | "not_unicode";

/** A checked name in NFC, or what is wrong with it, as a sentence with values and limits. */
export type NameCheck =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly fault: NameFault; readonly message: string };

/** Checks a file name and brings it to NFC. @throws never */
export function checkName(text: string): NameCheck {
  if (text === "") return refuse("empty", "Cannot use name: it is empty");
  if (!text.isWellFormed()) return refuse("not_unicode", "Cannot use name: it is not Unicode text");
  const name = text.normalize("NFC");
  const bytes = fromString(name, "utf8").length;
  if (bytes > nameBytesMax) {
    return refuse(
      "too_long",
      `Cannot use name: it has ${bytes} bytes, at most ${nameBytesMax} are allowed`,
    );
  }
  if (hasControlCharacter(name)) {
    return refuse("control_character", "Cannot use name: it has a control character");
  }
  const bad = name.split("/").find((segment) => ["", ".", ".."].includes(segment));
  if (bad !== undefined) {
    const what = bad === "" ? "an empty segment" : `the segment "${bad}"`;
    return refuse("bad_segment", `Cannot use name "${name}": it has ${what}`);
  }
  return { ok: true, name };
}

function refuse(fault: NameFault, message: string): NameCheck {
  return { ok: false, fault, message };
}

/** C0, DEL, C1, and the line separators that terminals and logs obey. */
function hasControlCharacter(name: string): boolean {
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x2028 || code === 0x2029) {
      return true;
    }
  }
  return false;
}

/** A name as it is searched: without capitals and accents. @throws never */
export function foldName(name: string): string {
  const lower = name.toLowerCase();
  if (/^[\0-\x7f]*$/.test(lower)) return lower;
  return lower.normalize("NFD").replace(/\p{M}+/gu, "");
}

/** A name as the path of a URL: each segment percent-encoded, `/` kept. @throws never */
export function encodeName(name: string): string {
  return name.split("/").map(encodeURIComponent).join("/");
}
