import assert from "node:assert/strict";
import { progressLine, startProgress } from "../../../../server/cli/progress.ts";
import { printable, tableLines } from "../../../../server/cli/terminal.ts";

function fakeTerminal(over: { errorIsTerminal?: boolean; quiet?: boolean; json?: boolean } = {}) {
  const written: string[] = [];
  return {
    written,
    terminal: {
      errorIsTerminal: true,
      columns: 120,
      quiet: false,
      json: false,
      ...over,
      complain: (text: string) => void written.push(text),
    },
  };
}

Deno.test("startProgress() draws a moving bar with rate and time left on a terminal", () => {
  let now = 0;
  const { terminal, written } = fakeTerminal();
  const progress = startProgress({ label: "f", total: 10_000_000, terminal, now: () => now });
  for (let step = 0; step < 5; step++) {
    now += 1_000;
    progress.add(1_000_000);
  }
  assert.equal(
    written.at(-1),
    "\r\x1b[Kf  [==========          ]  50 %  5.00 MB of 10.0 MB  1.00 MB/s  5 s left",
  );
  progress.end();
  progress.end();
  assert.equal(written.at(-1), "\r\x1b[K");
  const count = written.length;
  progress.add(1);
  assert.equal(written.length, count);
});

Deno.test("startProgress() redraws no more than ten times a second", () => {
  let now = 0;
  const { terminal, written } = fakeTerminal();
  const progress = startProgress({ label: "f", total: 1_000, terminal, now: () => now });
  for (; now < 1_000; now++) progress.add(1);
  assert.ok(written.length <= 11, `${written.length} lines`);
});

Deno.test("startProgress() counts resumed bytes as done, not as speed", () => {
  let now = 0;
  const { terminal, written } = fakeTerminal();
  const progress = startProgress({ label: "f", total: 2_000_000, terminal, now: () => now });
  progress.skip(1_000_000);
  now = 1_000;
  progress.add(100_000);
  assert.match(written.at(-1) ?? "", /55 % {2}1\.10 MB of 2\.00 MB {2}100 kB\/s {2}9 s left$/);
});

Deno.test("startProgress() writes plain lines at intervals elsewhere, none when quiet", () => {
  let now = 0;
  const plain = fakeTerminal({ errorIsTerminal: false });
  const quiet = fakeTerminal({ quiet: true });
  const json = fakeTerminal({ errorIsTerminal: false, json: true });
  const all = [plain, quiet, json].map(({ terminal }) =>
    startProgress({ label: "f", total: 20_000, terminal, now: () => now })
  );
  for (; now < 11_000; now += 100) all.forEach((progress) => progress.add(100));
  all.forEach((progress) => progress.end());
  assert.equal(plain.written.length, 2);
  assert.ok(
    plain.written.every((line) => /^f {2}\d+ % .*left\n$/.test(line)),
    String(plain.written),
  );
  assert.deepEqual([quiet.written, json.written], [[], []]);
});

Deno.test("progressLine() keeps to the width and works without a total", () => {
  const state = { label: "x".repeat(200), done: 5_000, bytesPerSecond: 10 };
  const terminal = { errorIsTerminal: true, columns: 60 };
  assert.equal(progressLine({ ...state, total: 10_000 }, terminal).length, 59);
  assert.equal(
    progressLine({ ...state, label: "-", total: undefined }, terminal),
    "-  5.00 kB  10 B/s",
  );
});

Deno.test("progressLine() drops the bar, then the percentage, before it cuts the time left", () => {
  const state = {
    label: "2718 of 2886 files",
    done: 1.29e8,
    bytesPerSecond: 6.22e7,
    total: 1.66e9,
  };
  const at = (columns: number) => progressLine(state, { errorIsTerminal: true, columns });
  assert.match(at(100), /\[=.*\] {2}7 % {2}129 MB of 1.66 GB {2}62.2 MB\/s {2}\d+ s left$/);
  assert.match(at(80), /files {2}7 % {2}129 MB of 1.66 GB {2}62.2 MB\/s {2}\d+ s left$/);
  assert.match(at(60), /files {2}129 MB of 1.66 GB {2}62.2 MB\/s {2}\d+ s left$/);
  assert.match(at(52), /files {2}129 MB of 1.66 GB {2}\d+ s left$/);
});

Deno.test("tableLines() aligns all columns but the last", () => {
  assert.deepEqual(tableLines([["a", "bb", "c"], ["aaa", "b", ""]]), ["a    bb  c", "aaa  b   "]);
});

Deno.test("printable() lets no name drive the terminal", () => {
  assert.equal(printable("a\x1b[2Jb\r\nc\u009b1md é"), "a?[2Jb??c?1md é");
});
