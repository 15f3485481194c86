// A gateway before small nodes, for its tests.

import assert from "node:assert/strict";
import { type GatewayOptions, startGateway } from "../../../../server/gateway/gateway.ts";
import { createLog } from "../../../../server/log.ts";
import { type FakeNode, type FakeOptions, freePort, startFake } from "./fake_node.ts";

/** A gateway and the nodes behind it. */
export interface Bench {
  readonly base: string;
  readonly port: number;
  readonly linePort: number;
  readonly nodes: readonly FakeNode[];
}

const quiet = createLog({
  ...{ format: "text", level: "error", now: () => 0 },
  write: (line) => assert.fail(line),
});

/** Runs `use` with a gateway before small nodes. */
export async function withGateway(
  fakes: readonly FakeOptions[],
  use: (bench: Bench) => Promise<void>,
  options: Partial<GatewayOptions> = {},
): Promise<void> {
  const nodes = await Promise.all(fakes.map(startFake));
  const port = freePort();
  const linePort = freePort();
  const gateway = await startGateway({
    ...{ host: "127.0.0.1", port, lineHost: "127.0.0.1", linePort, token: null, allowHosts: [] },
    ...{ isPublic: false, hasSecret: false, nodes: nodes.map(({ base }) => base), log: quiet },
    ...options,
  });
  try {
    await use({ base: gateway.http, port, linePort, nodes });
  } finally {
    await gateway.stop();
    for (const node of nodes) await node.stop();
  }
}

/** Random bytes. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(length, at + 65_536)));
  }
  return bytes;
}

/** Stores a file at nodes, by name. */
export async function store(nodes: readonly FakeNode[], name: string, bytes: Uint8Array) {
  for (const { pool } of nodes) {
    await pool.push(ReadableStream.from([bytes]), { name });
  }
}
