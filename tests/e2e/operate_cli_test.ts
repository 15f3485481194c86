// Verbs of operating as a user runs them, against the real HTTP server over actions that answer as
// told: what they print, and their exit codes.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { NodeActions } from "../../server/engine/node_actions.ts";
import { createHttpServer } from "../../server/http/server.ts";
import type { Services } from "../../server/http/services.ts";
import type { JobSnapshot } from "../../shared/job.ts";
import { createFixture } from "../http/app_fixture.ts";
import { createFakeActions, job } from "../http/fake_actions.ts";
import { freePort } from "./node_pool.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const flags = ["run", "--quiet", "--no-prompt", "--no-check", "--allow-net"];
const rights = ["--allow-env=SKYRING_*", "--ignore-env", "--allow-read", "--allow-write"];

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

type Cli = (...args: string[]) => Promise<Result>;

async function withServer(
  use: (cli: Cli, orders: readonly string[]) => Promise<void>,
  more: { readonly actions?: Partial<NodeActions>; readonly heal?: Services["heal"] } = {},
): Promise<void> {
  const port = freePort();
  const fake = createFakeActions();
  const nodeActions = { ...fake, ...more.actions };
  const heal = more.heal === undefined ? {} : { heal: more.heal };
  const { app } = createFixture({ port }, { nodeActions, ...heal });
  const server = createHttpServer(
    async (request, connection) => await app.fetch(request, connection),
    { host: "127.0.0.1", port, log: () => undefined },
  );
  await server.start();
  const cli: Cli = async (...args) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...flags, ...rights, "server/cli/main.ts", ...args],
      cwd: root,
      env: { SKYRING_CWD: root, SKYRING_NODE: `http://127.0.0.1:${port}` },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
  };
  try {
    await use(cli, fake.orders);
  } finally {
    await server.stop();
  }
}

/** Jobs that end as given after two looks. */
function ending(end: Partial<JobSnapshot>): NodeActions["job"] {
  let looks = 0;
  return () => Promise.resolve(++looks <= 2 ? job : { ...job, ...end });
}

Deno.test("cli leave follows its job to the end and exits with 0", () =>
  withServer(async (cli, orders) => {
    const plan = await cli("leave", "--dry-run", "node-1");
    assert.equal(plan.code, 0, plan.err);
    assert.match(plan.out, /will move +2 blocks/);
    const left = await cli("leave", "node-1");
    assert.equal(left.code, 0, left.err);
    assert.match(left.out, /node-1 leaves: all is with others/);
    const detached = await cli("resize", "node-1", "2GiB", "--detach");
    assert.equal(detached.out.trim(), job.id);
    assert.deepEqual(orders, ["leave node-1 dry", "leave node-1", "resize 2147483648 node-1"]);
  }, { actions: { job: ending({ state: "done", note: "all is with others" }) } }));

Deno.test("cli leave exits with 4 when copies would be short, and names --force", () =>
  withServer(async (cli) => {
    const refused = await cli("leave", "thin");
    assert.equal(refused.code, 4, refused.err);
    assert.match(refused.err, /drop below their copies.*--force/);
    assert.equal((await cli("leave", "nobody")).code, 3);
    assert.equal((await cli("leave")).code, 2);
    assert.equal((await cli("resize", "node-1", "-5")).code, 2);
  }));

Deno.test("cli leave exits with 1 or 4 when its job fails", async () => {
  const failed = (code: string) =>
    ending({ state: "failed", error: { code, detail: "Cannot go on: no room" } });
  await withServer(async (cli) => {
    const full = await cli("leave", "node-1");
    assert.equal(full.code, 4);
    assert.match(full.err, /no room/);
  }, { actions: { job: failed("full") } });
  await withServer(async (cli) => {
    assert.equal((await cli("leave", "node-1")).code, 1);
  }, { actions: { job: failed("internal") } });
});

Deno.test("cli stop, forget, jobs, lookup and collect say what was done", () =>
  withServer(async (cli) => {
    assert.match((await cli("stop", "node-1")).out, /node-1 stops/);
    const forgotten = await cli("forget", "--force", "node-1");
    assert.equal(forgotten.code, 0, forgotten.err);
    assert.match(forgotten.out, /forgotten by force[\s\S]*1 of 2[\s\S]*\ba\b/);
    const listed = await cli("jobs", "--json");
    assert.equal(JSON.parse(listed.out).items.length, 2);
    assert.match((await cli("jobs", "--cancel", job.id)).out, /cancelled/);
    assert.equal((await cli("jobs", "ffffffffffffffff")).code, 3);
    assert.match((await cli("lookup", "some/name")).out, /slot +7\nowners +node-1/);
  }));

Deno.test("cli heal shows the report, and exits with 1 when a block is lost", async () => {
  await withServer(async (cli) => {
    const healed = await cli("heal");
    assert.equal(healed.code, 0, healed.err);
    assert.match(healed.out, /blocks restored +1\n/);
  });
  await withServer(async (cli) => {
    assert.equal((await cli("heal")).code, 1);
  }, {
    heal: async function* () {
      await Promise.resolve();
      const counts = { nodesChecked: 2, nodesDead: 0, blocksRestored: 0, blocksLost: 1 };
      yield { kind: "report", ...counts };
    },
  });
  await withServer(async (cli) => {
    const broken = await cli("heal");
    assert.equal(broken.code, 1);
    assert.notEqual(broken.err, "");
  }, {
    // deno-lint-ignore require-yield
    heal: async function* () {
      await Promise.resolve();
      throw new Error("gone");
    },
  });
});
