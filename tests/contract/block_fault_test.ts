// Faults at chosen system calls, injected by strace: a kill at each kind of call that makes bytes
// durable, EIO at each kind of sync, ENOSPC at writes. Ignored where strace is not installed.
// Source: All File Systems Are Not Created Equal (ALICE), OSDI 2014; Can Applications Recover from
// fsync Failures?, ATC 2020.

import assert from "node:assert/strict";
import { checkFolder, lastWords } from "./crash_check.ts";
import { diskFailedExit } from "./crash_child.ts";

const child = new URL("./crash_child.ts", import.meta.url).pathname;
const hasStrace = await canRun("strace");
const ignore = !hasStrace;
const note = hasStrace ? "" : " (install the package strace)";
const blocks = 24;

async function canRun(program: string): Promise<boolean> {
  try {
    const command = new Deno.Command(program, { args: ["-V"], stdout: "null", stderr: "null" });
    return (await command.output()).success;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

interface Fault {
  /** System calls, joined by commas. */
  readonly calls: string;
  /** What happens at them, in strace's words. */
  readonly what: string;
  /** Only at calls on these paths below the folder. */
  readonly paths?: readonly string[];
  readonly lanes: number;
}

interface Run {
  readonly output: string;
  readonly exit: number;
  /** What strace saw: traced calls and every write to standard output, in order. */
  readonly log: string;
}

/** Runs the child under a fault, in a folder of its own, then checks what is left there. */
async function runWith(fault: Fault, judge: (run: Run, folder: string) => void): Promise<void> {
  const folder = await Deno.makeTempDir();
  const logFile = await Deno.makeTempFile();
  try {
    const paths = (fault.paths ?? []).flatMap((path) => ["-P", `${folder}/${path}`]);
    const trace = [`trace=${fault.calls}`, `inject=${fault.calls}:${fault.what}`];
    const args = ["-f", "-qq", "-y", "-o", logFile, ...paths];
    const run = await new Deno.Command("strace", {
      args: [
        ...args,
        ...trace.flatMap((each) => ["-e", each]),
        Deno.execPath(),
        ...["run", "-A", "--no-check", child, folder, "0", String(blocks), String(fault.lanes)],
      ],
      stdout: "piped",
      stderr: "null",
    }).output();
    const output = new TextDecoder().decode(run.stdout);
    judge({ output, exit: run.code, log: await Deno.readTextFile(logFile) }, folder);
    await checkFolder(folder, lastWords(output));
  } catch (thrown) {
    throw new Error(`fault ${JSON.stringify(fault)}`, { cause: thrown });
  } finally {
    await Deno.remove(folder, { recursive: true });
    await Deno.remove(logFile);
  }
}

const count = (text: string, word: string) => text.split(word).length - 1;

const syncs = "fsync,fdatasync";
const killPoints: readonly Omit<Fault, "lanes" | "what">[] = [
  { calls: syncs, paths: ["skyring.db-wal"] },
  { calls: syncs, paths: ["skyring.db"] },
  { calls: syncs, paths: ["blocks/000001"] },
  { calls: syncs, paths: ["blocks"] },
  { calls: "pwrite64", paths: ["skyring.db-wal"] },
  { calls: "write", paths: ["blocks/staging/0", "blocks/staging/1", "blocks/staging/2"] },
  { calls: syncs, paths: ["blocks/staging/1", "blocks/staging/3"] },
  { calls: "rename,renameat,renameat2" },
  { calls: "unlink,unlinkat" },
];

Deno.test({
  name: `block store keeps its word when killed at a sync, write, rename or unlink${note}`,
  ignore,
  fn: async () => {
    let killed = 0;
    for (const point of killPoints) {
      for (const nth of [1, 5]) {
        await runWith({ ...point, what: `signal=KILL:when=${nth}`, lanes: 4 }, ({ output }) => {
          if (!output.includes("done")) killed++;
        });
      }
    }
    assert.ok(killed >= killPoints.length, `only ${killed} points were reached`);
  },
});

Deno.test({
  name: `block store acknowledges nothing after a failed sync and stops${note}`,
  ignore,
  fn: async () => {
    for (
      const [path, nth] of [
        ["blocks/staging/0", 1],
        ["blocks/staging/4", 1],
        ["blocks/000001", 1],
        ["blocks/000001", 4],
        ["blocks", 1],
        ["skyring.db-wal", 3],
        ["skyring.db-wal", 9],
      ] as const
    ) {
      // Syncs only: a write of a staged file must not take the fault away from its sync.
      const fault = { calls: syncs, paths: [path], what: `error=EIO:when=${nth}`, lanes: 1 };
      await runWith(fault, ({ output, exit, log }) => {
        assert.equal(count(log, "INJECTED"), 1, `the sync was tried again or never:\n${log}`);
        assert.equal(exit, output.includes("ready") ? diskFailedExit : 1);
        assert.ok(!output.includes("done"));
        // One block at a time: what was said last is all that was durable before the fault.
        const ok = count(output, "ok ");
        assert.ok(ok < blocks, `${ok} of ${blocks} were acknowledged`);
      });
    }
  },
});

Deno.test({
  name: `block store refuses as full when the disk is, and lives on${note}`,
  ignore,
  fn: async () => {
    const walWrites = [22, 30, 38, 46].map((
      nth,
    ) => ["pwrite64", "skyring.db-wal", nth]);
    const points = [["write", "blocks/staging/1", 1], ["openat", "blocks/staging/1", 1]];
    let refusals = 0;
    for (const [calls, path, nth] of [...points, ...walWrites] as [string, string, number][]) {
      const fault = { calls, paths: [path], what: `error=ENOSPC:when=${nth}`, lanes: 1 };
      await runWith(fault, ({ output, exit, log }) => {
        assert.equal(count(log, "INJECTED"), 1, log);
        assert.equal(exit, 0, output);
        // A delete that finds no room takes the reserve and is done: then nothing was refused.
        refusals += count(output, "full ");
        assert.ok(
          output.lastIndexOf("ok ") > output.indexOf("full "),
          `never recovered: ${output}`,
        );
        assert.ok(output.includes("done"));
      });
    }
    assert.ok(refusals >= points.length + 1, `only ${refusals} puts were refused`);
  },
});
