// kill -9 of a process that stores blocks, at random instants: every acknowledged block is there
// and right at the next start, no half block is visible, nothing is left over.

import assert from "node:assert/strict";
import { createPrng } from "../../shared/base/prng.ts";
import { checkFolder, lastWords } from "./crash_check.ts";

const child = new URL("./crash_child.ts", import.meta.url).pathname;
const kills = 50;
const seriesAtOnce = 2;
/** Kills in one folder before a fresh one: so restarts meet the leftovers of restarts. */
const killsInFolder = 5;

Deno.test(`block store keeps its word over ${kills} kills at random instants`, async () => {
  const seed = Number(Deno.env.get("SKYRING_SEED") ?? Date.now() % 1_000_000);
  try {
    const stored = await Promise.all(
      Array.from({ length: seriesAtOnce }, (_, series) => runSeries(seed + series)),
    );
    const sum = stored.reduce((total, each) => total + each, 0);
    assert.ok(sum > 5 * kills, `only ${sum} blocks were stored before the kills`);
  } catch (thrown) {
    throw new Error(`SKYRING_SEED=${seed} shows it`, { cause: thrown });
  }
});

/** Kills one child after the other; @returns how many blocks they acknowledged. */
async function runSeries(seed: number): Promise<number> {
  const prng = createPrng(seed);
  let acknowledged = 0;
  let folder = "";
  const said = new Map<number, string>();
  try {
    for (let kill = 0; kill < kills / seriesAtOnce; kill++) {
      if (kill % killsInFolder === 0) {
        if (folder !== "") await Deno.remove(folder, { recursive: true });
        folder = await Deno.makeTempDir();
        said.clear();
      }
      const words = lastWords(await runAndKill(folder, { start: kill * 10_000, prng }));
      for (const [block, word] of words) said.set(block, word);
      acknowledged += [...words.values()].filter((word) => word === "ok").length;
      await checkFolder(folder, said);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return acknowledged;
}

/** Kills the child when it has acknowledged so many blocks, a few instants later. */
async function runAndKill(
  folder: string,
  options: { start: number; prng: ReturnType<typeof createPrng> },
): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", child, folder, String(options.start), "10000", "4"],
    stdout: "piped",
    stderr: "null",
  });
  const process = command.spawn();
  const linesBefore = options.prng.int(30);
  // Instants within one batch: spins, not sleeps, as a batch takes a few milliseconds.
  const spins = options.prng.int(40);
  let output = "";
  let killed = false;
  for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    if (killed || !output.includes("ready") || output.split("\n").length < linesBefore) continue;
    killed = true;
    for (let spin = 0; spin < spins; spin++) await new Promise((done) => setTimeout(done, 0));
    process.kill("SIGKILL");
  }
  await process.status;
  assert.ok(killed, `the child ended by itself: ${output.slice(-200)}`);
  return output;
}
