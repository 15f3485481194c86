import assert from "node:assert/strict";
import { SkyringError } from "../../../shared/base/errors.ts";
import { createLog, type LogOptions } from "../../../server/log.ts";

function capture(format: "text" | "json", level: LogOptions["level"] = "info") {
  const lines: string[] = [];
  const log = createLog({ format, level, write: (line) => lines.push(line), now: () => 0 });
  return { log, lines };
}

Deno.test("createLog() writes an event with its fields as one line", () => {
  const { log, lines } = capture("text");
  log.with({ node: "a" }).info("joined", { epoch: 3, address: "/ip4/1.2.3.4", no: undefined });
  assert.deepEqual(lines, [
    "1970-01-01T00:00:00.000Z info  joined node=a epoch=3 address=/ip4/1.2.3.4",
  ]);
});

Deno.test("createLog() lets no value forge a line", () => {
  const { log, lines } = capture("text");
  log.warn("refused", { name: 'x" y\n1970 error fake' });
  assert.equal(lines.length, 1);
  assert.ok(!lines[0]?.includes("\n") && lines[0]?.includes('name="x\\" y\\n1970 error fake"'));
});

Deno.test("createLog() leaves out what is below its level", () => {
  const { log, lines } = capture("json", "warn");
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");
  assert.deepEqual(lines.map((line) => JSON.parse(line).event), ["c", "d"]);
});

Deno.test("createLog() writes errors with code and causes, and cuts long values", () => {
  const { log, lines } = capture("json");
  const cause = new Error("EIO");
  log.error("failed", { error: new SkyringError("disk_failed", "Cannot sync", { cause }) });
  assert.equal(JSON.parse(lines[0] ?? "").error, "disk_failed: Cannot sync <- EIO");
  log.info("long", { text: "x".repeat(5_000), list: [1, 2], big: 1n });
  const line = JSON.parse(lines[1] ?? "");
  assert.deepEqual([line.text.length, line.list, line.big], [2_003, "[1,2]", "1"]);
});
