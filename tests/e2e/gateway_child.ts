// A gateway as a child process with the rights of its task, before nodes of a pool.

import assert from "node:assert/strict";
import { checkout } from "./node_child.ts";
import { freePort, type NodePool } from "./node_pool.ts";
import { until } from "./until.ts";

export interface GatewayChild {
  readonly url: string;
  readonly linePort: number;
  readonly pid: number;
  /** All that it printed so far. */
  output(): string;
}

/** Runs `use` with a gateway before the pool's first node alone: the others it finds itself. */
export async function withGateway(
  pool: NodePool,
  use: (gateway: GatewayChild) => Promise<void>,
): Promise<void> {
  const [port, linePort] = [freePort(), freePort()];
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--no-prompt", "--allow-net", "--allow-env=SKYRING_*"],
      ...["--ignore-env", "--allow-read", `--allow-write=${pool.folder}`],
      ...["tests/e2e/real_gateway.ts", `--port=${port}`, `--line-port=${linePort}`],
      `--nodes=${pool.node(0).url}`,
    ],
    cwd: checkout,
    env: { SKYRING_TEST_DATA: pool.folder, SKYRING_CWD: pool.folder },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let text = "";
  const reading = [child.stdout, child.stderr].map(async (stream) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) text += part;
  });
  const url = `http://127.0.0.1:${port}`;
  try {
    await until("the gateway's nodes", async () => {
      const response = await fetch(`${url}/ready`);
      await response.body?.cancel();
      return response.status === 200;
    }, { detail: () => text });
    await use({ url, linePort, pid: child.pid, output: () => text });
  } finally {
    child.kill("SIGTERM");
    const { code } = await child.status;
    await Promise.all(reading);
    assert.equal(code, 0, text);
  }
}

/** Peak resident memory of a process, in bytes. */
export function peakMemoryOf(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(status.match(/VmHWM:\s+(\d+) kB/)?.[1]) * 1_024;
}
