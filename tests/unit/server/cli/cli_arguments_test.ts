import assert from "node:assert/strict";
import { parseCliArguments, type VerbUsage } from "../../../../server/cli/cli_arguments.ts";
import { CliFailure, failureOf } from "../../../../server/cli/cli_failure.ts";
import { eachAtOnce, transfersAtOnce } from "../../../../server/cli/command.ts";

const verbs: Record<string, VerbUsage> = {
  push: {
    usage: "push FILE",
    help: "",
    operands: [1, 3],
    flags: { recursive: "switch", replicas: "value" },
  },
  ls: { usage: "ls", help: "", operands: [0, 1], flags: {} },
};

function refusal(args: string[]): string {
  try {
    parseCliArguments(args, verbs);
  } catch (error) {
    assert.ok(error instanceof CliFailure && error.exitCode === 2);
    return error.message;
  }
  throw new Error("Cannot test refusal: nothing was refused");
}

Deno.test("parseCliArguments() takes flags anywhere, and -- ends them", () => {
  const args = ["--node", "http://a:1", "push", "-r", "--replicas=5", "a", "--", "--b", "push"];
  const parsed = parseCliArguments(args, verbs);
  assert.equal(parsed.verb, "push");
  assert.deepEqual(parsed.operands, ["a", "--b", "push"]);
  assert.deepEqual(parsed.values, { node: "http://a:1", replicas: "5" });
  assert.deepEqual([...parsed.switches], ["recursive"]);
});

Deno.test("parseCliArguments() takes a lone dash as an operand", () => {
  assert.deepEqual(parseCliArguments(["push", "-", "name"], verbs).operands, ["-", "name"]);
});

Deno.test("parseCliArguments() refuses what it does not know, with the nearest", () => {
  assert.match(refusal(["psuh", "a"]), /unknown verb; did you mean push\?/);
  assert.match(refusal(["push", "--replica", "3"]), /did you mean --replicas\?/);
  assert.match(refusal(["ls", "-r"]), /Cannot use flag -r with ls/);
  assert.match(refusal(["push"]), /usage is push FILE/);
  assert.match(refusal(["ls", "a", "b"]), /usage is ls/);
  assert.match(refusal(["push", "a", "--node"]), /--node: its value is missing/);
  assert.match(refusal([]), /no verb/);
});

Deno.test("failureOf() reads problems with their numbers, and survives what is none", () => {
  const problem = { detail: "Cannot store file: too few nodes", needed: 3, have: 1, code: "x" };
  const failure = failureOf(503, JSON.stringify(problem));
  assert.equal(failure.message, "Cannot store file: too few nodes (needed 3, have 1)");
  assert.equal(failure.exitCode, 4);
  assert.equal(failure.problem?.["code"], "x");
  assert.equal(failureOf(500, "<html>").message, "the node answered 500");
  const codes = [400, 401, 403, 404, 409, 412, 429, 500, 503, 504, 507];
  assert.deepEqual(
    codes.map((status) => failureOf(status, "").exitCode),
    [1, 5, 5, 3, 1, 1, 1, 1, 4, 4, 4],
  );
});

Deno.test("eachAtOnce() runs a few at once, begins no more after a failure, and waits", async () => {
  let running = 0;
  let most = 0;
  let begun = 0;
  const failed = eachAtOnce(Array.from({ length: 100 }, (_, index) => index), async (index) => {
    begun++;
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 0)); // a turn of the event loop
    running--;
    if (index === 20) throw new Error("twenty");
  });
  await assert.rejects(failed, /twenty/);
  assert.equal(running, 0);
  assert.ok(most <= transfersAtOnce && most > 1, `${most} at once`);
  assert.ok(begun < 40, `${begun} begun`);
});
