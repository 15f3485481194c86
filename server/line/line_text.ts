// The answers of the line protocol as text, byte for byte: pure.

import type { Liveness } from "../../shared/status.ts";
import type { LineFile, LineStat, LineView } from "./line_service.ts";

const unset = "<unset>";

interface Place {
  readonly host: string;
  readonly port: number;
}

/** `NODE STATUS`: the own address and that of the successor in full. @throws never */
export function statusText(view: LineView): string {
  const line = (id: string | undefined) =>
    view.members.find((member) => member.id === id)?.line ?? unset;
  const at = view.ring.indexOf(view.self);
  const alone = view.ring.length < 2 || at === -1;
  const next = alone ? undefined : view.ring[(at + 1) % view.ring.length];
  return `PORT ${line(view.self)}\nNEXT ${line(next)}\nOK\n`;
}

/** `NETMAP GET`: by host and port number, nodes without an address last. @throws never */
export function netmapText(view: LineView): string {
  const own = placeOf(lineOf(view, view.self));
  const rows = view.members
    .map(({ line, state }) => ({ place: placeOf(line), state }))
    .sort((left, right) => order(left.place, right.place));
  const lines = rows.map(({ place, state }) => `${label(place, own)}=${stateWord(state)}\n`);
  return `${lines.join("")}OK\n`;
}

/** `TOPOLOGY WALK`: the edges of the ring, from the node that answers on. @throws never */
export function walkText(view: LineView): string {
  const { ring } = view;
  const own = placeOf(lineOf(view, view.self));
  const name = (index: number) =>
    label(placeOf(lineOf(view, ring[index % ring.length] ?? "")), own);
  const from = Math.max(0, ring.indexOf(view.self));
  const edges = ring.length < 2
    ? []
    : ring.map((_, index) => `${name(from + index)}->${name(from + index + 1)}\n`);
  return `${edges.join("")}OK\n`;
}

/** The first line of `FILE LIST`. */
export const listHeader = "name,start,size\n";

/** One row of `FILE LIST`. Source: RFC 4180, 2 @throws never */
export function fileText(file: LineFile, view: LineView): string {
  const own = placeOf(lineOf(view, view.self));
  const start = file.firstOwner === null
    ? unset
    : label(placeOf(lineOf(view, file.firstOwner)), own);
  return `${quoted(file.name)},${quoted(start)},${file.size}\n`;
}

/** `FILE STAT`. @throws never */
export function statText(stat: LineStat): string {
  const { cid, size, least, wanted } = stat;
  return `CID ${cid}\nSIZE ${size}\nREPLICAS ${least}/${wanted}\nOK\n`;
}

/** `FILE PUSH` done. @throws never */
export function pushedText(size: number, blocks: number): string {
  return `FILE ${size} bytes split into ${blocks} chunks and distributed\nOK\n`;
}

/** An error in one line, whatever the reason holds. @throws never */
export function errorText(reason: string): string {
  return `ERR ${reason.replace(/\p{Cc}+/gu, " ").trim()}\n`;
}

function stateWord(state: Liveness): "Alive" | "Dead" {
  switch (state) {
    case "alive":
    case "suspect": // may yet refute
      return "Alive";
    case "dead":
    case "left":
      return "Dead";
    default:
      return state satisfies never;
  }
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function lineOf(view: LineView, id: string): string | null {
  return view.members.find((member) => member.id === id)?.line ?? null;
}

function placeOf(line: string | null): Place | undefined {
  const match = /^(.+):(\d{1,5})$/.exec(line ?? "");
  return match === null ? undefined : { host: match[1] ?? "", port: Number(match[2]) };
}

function label(place: Place | undefined, own: Place | undefined): string {
  if (place === undefined) return unset;
  return place.host === own?.host ? String(place.port) : `${place.host}:${place.port}`;
}

function order(left: Place | undefined, right: Place | undefined): number {
  if (left === undefined || right === undefined) {
    return Number(left === undefined) - Number(right === undefined);
  }
  if (left.host === right.host) return left.port - right.port;
  return left.host < right.host ? -1 : 1;
}
