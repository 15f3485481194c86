// Memory does not grow with the file: a gigabyte through push and pull in a small process.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

Deno.test("pushBytes() and openDag() move 1 GiB in under 300 MiB of memory", async () => {
  const child = fileURLToPath(new URL("memory_child.ts", import.meta.url));
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "-A", child, "4096"],
    stdout: "piped",
    stderr: "inherit",
    signal: AbortSignal.timeout(120_000),
  });
  const { success, stdout } = await command.output();
  assert.ok(success, "the process ended with an error");
  const text = new TextDecoder().decode(stdout).trim();
  console.log(text);
  const figures = JSON.parse(text);
  assert.deepEqual(
    [figures.bytes, figures.right, figures.blocks, figures.least],
    [1024 ** 3, 4_096, 4_096, 3],
  );
  assert.ok(figures.peakMiB < 300, `${figures.peakMiB} MiB`);
});
