// A tab's ticket as text, as a node's HTTP answer carries it to the page: `<expiry>.<mac>`, the
// expiry in base 36, the MAC as base64url. What it is worth is in admission.ts.

import { fromString } from "uint8arrays/from-string";
import { toString } from "uint8arrays/to-string";
import type { Ticket } from "./admission.ts";

/** 32 bytes are 43 characters of base64url; 2^53 has 11 digits of base 36. */
const shape = /^([0-9a-z]{1,11})\.([A-Za-z0-9_-]{43})$/;

/** The text of a ticket: ASCII, at most 55 characters. @throws never */
export function encodeTicket(ticket: Ticket): string {
  return `${ticket.expiresAt.toString(36)}.${toString(ticket.mac, "base64url")}`;
}

/** A ticket from its text, or undefined when it is anything else. @throws never */
export function decodeTicket(text: string): Ticket | undefined {
  const [, expiry, mac] = shape.exec(text) ?? [];
  if (expiry === undefined || mac === undefined) return undefined;
  const expiresAt = parseInt(expiry, 36);
  if (!Number.isSafeInteger(expiresAt)) return undefined;
  return { expiresAt, mac: fromString(mac, "base64url") };
}
