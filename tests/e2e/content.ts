// Bytes made from a seed, as long as wanted, without being held; and their digest.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { filePath, type NodeChild } from "./node_child.ts";

const partBytes = 2 ** 20;
const strideBytes = 2 ** 14;

/** Parts of `size` bytes in which no two 16 KiB are equal, the same for the same seed. */
export function* partsOf(seed: number, size: number): Generator<Uint8Array<ArrayBuffer>> {
  const base = new Uint8Array(partBytes);
  let state = seed * 2_654_435_761 + 1 >>> 0;
  for (let at = 0; at < partBytes; at++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 >>> 0;
    base[at] = state >>> 24;
  }
  for (let start = 0; start < size; start += partBytes) {
    const part = base.slice(0, Math.min(partBytes, size - start));
    const view = new DataView(part.buffer);
    for (let at = 0; at + 12 <= part.length; at += strideBytes) {
      view.setUint32(at, seed);
      view.setFloat64(at + 4, start + at);
    }
    yield part;
  }
}

/** All of it at once. */
export function bytesOf(seed: number, size: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of partsOf(seed, size)) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** SHA-256 of `partsOf(seed, size)`, hex. */
export function digestOfSeed(seed: number, size: number): string {
  const hash = createHash("sha256");
  for (const part of partsOf(seed, size)) hash.update(part);
  return hash.digest("hex");
}

/** Size and SHA-256 of a body read to its end. @throws when the connection breaks */
export async function digestOfBody(
  body: ReadableStream<Uint8Array> | null,
  onPart: (total: number) => void = () => undefined,
): Promise<{ size: number; digest: string }> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const part of body ?? []) {
    hash.update(part);
    size += part.length;
    onPart(size);
  }
  return { size, digest: hash.digest("hex") };
}

/** Streams `partsOf(seed, size)` into a file. @returns the answer, its body unread */
export function pushStream(
  node: NodeChild,
  name: string,
  options: {
    readonly seed: number;
    readonly size: number;
    readonly headers?: Record<string, string>;
    readonly signal?: AbortSignal;
  },
): Promise<Response> {
  const { seed, size, headers = {}, signal } = options;
  return node.request(filePath(name), {
    method: "PUT",
    body: ReadableStream.from(partsOf(seed, size)),
    headers,
    ...(signal ? { signal } : {}),
  });
}

/** PUTs a small body. @returns status and the answer as JSON */
export async function put(
  node: NodeChild,
  name: string,
  options: { readonly body: BodyInit; readonly headers?: Record<string, string> },
  // deno-lint-ignore no-explicit-any
): Promise<{ status: number; answer: any }> {
  const response = await node.request(filePath(name), {
    method: "PUT",
    body: options.body,
    headers: options.headers ?? {},
    signal: AbortSignal.timeout(60_000),
  });
  return { status: response.status, answer: await response.json() };
}

/** GETs a whole file as text. @returns status and body */
export async function get(
  node: NodeChild,
  name: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string; headers: Headers }> {
  const signal = AbortSignal.timeout(60_000);
  const response = await node.request(filePath(name), { headers, signal });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** Pushes a small text and sees that it was stored. */
export async function store(node: NodeChild, name: string, body: BodyInit): Promise<void> {
  const { status, answer } = await put(node, name, { body });
  assert.ok(status === 200 || status === 201, `PUT ${name}: ${status} ${JSON.stringify(answer)}`);
}
