// The long campaigns, outside the gate: the suites with real processes at full size, then kills
// at random for a while.
//
//   deno task soak              everything
//   deno task soak PATH ...     only these tests, at soak size

import { fileURLToPath } from "node:url";

const sizes: Readonly<Record<string, string>> = {
  SKYRING_E2E_NODES: "12",
  SKYRING_E2E_KILLS: "10",
  SKYRING_E2E_PAUSES: "20",
  SKYRING_E2E_ROUNDS: "200",
  SKYRING_E2E_STORMS: "10",
  SKYRING_E2E_LARGE_MIB: "5120",
};
const suites = [
  "tests/e2e/liveness_pool_test.ts",
  "tests/e2e/record_pool_test.ts",
  "tests/e2e/transfer_pool_test.ts",
  "tests/e2e/cut_test.ts",
  "tests/soak",
];

const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["test", "--no-prompt", "-A", "--no-check", ...(Deno.args.length ? Deno.args : suites)],
  cwd: fileURLToPath(new URL("../..", import.meta.url)),
  env: { ...sizes, ...Deno.env.toObject() },
  stdin: "null",
}).spawn().status;
Deno.exit(code);
