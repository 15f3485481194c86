// The command line client as a user runs it: a process of its own, against the real HTTP server
// over a pool in memory. What five real nodes do with it is in the cluster test.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { SkyringError } from "../../shared/base/errors.ts";
import type { Pool } from "../../server/engine/pool.ts";
import { createHttpServer } from "../../server/http/server.ts";
import { createFixture } from "../http/app_fixture.ts";
import { createMemoryPool, type MemoryPool } from "../http/memory_pool.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const flags = ["run", "--quiet", "--no-prompt", "--no-check", "--allow-net"];
const rights = ["--allow-env=SKYRING_*", "--ignore-env", "--allow-read", "--allow-write"];

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Bench {
  readonly folder: string;
  readonly pool: MemoryPool;
  readonly base: string;
  cli(...args: string[]): Promise<Result>;
  /** Starts without waiting. */
  spawn(...args: string[]): Deno.ChildProcess;
}

async function withServer(
  use: (bench: Bench) => Promise<void>,
  options: { change?: (pool: MemoryPool) => Partial<Pool>; token?: string } = {},
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skyring-cli-" });
  const pool = createMemoryPool();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const { app } = createFixture(
    { port, loopback: options.token === undefined, token: options.token ?? null },
    { pool: { ...pool, ...options.change?.(pool) } },
  );
  const server = createHttpServer(
    async (request, connection) => await app.fetch(request, connection),
    {
      host: "127.0.0.1",
      port,
      log: () => undefined,
    },
  );
  await server.start();
  const base = `http://127.0.0.1:${port}`;
  const command = (args: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: [...flags, ...rights, "server/cli/main.ts", ...args],
      cwd: root,
      env: { SKYRING_CWD: folder, SKYRING_NODE: base },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  const cli = async (...args: string[]) => {
    const { code, stdout, stderr } = await command(args).output();
    const decoder = new TextDecoder();
    return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
  };
  try {
    await use({ folder, pool, base, cli, spawn: (...args) => command(args).spawn() });
  } finally {
    await server.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(length, at + 65_536)));
  }
  return bytes;
}

Deno.test("cli pushes, lists, shows, moves, pulls and removes a file", async () => {
  await withServer(async ({ folder, cli }) => {
    const bytes = randomBytes(3_000_001);
    await Deno.writeFile(join(folder, "a photo.jpg"), bytes);
    const pushed = await cli("push", "a photo.jpg", "trip/día.jpg");
    assert.deepEqual([pushed.code, pushed.err], [0, ""], pushed.err);
    assert.match(pushed.out, /^pushed trip\/día\.jpg {2}3\.00 MB {2}\d of \d copies {2}bafy/);
    assert.match((await cli("ls", "trip/")).out, /^3\.00 MB {2}\d\/\d {2}.* {2}trip\/día\.jpg\n$/);
    const shown = (await cli("stat", "trip/día.jpg")).out;
    assert.match(shown, /size +3\.00 MB \(2\.86 MiB, 3000001 bytes\)\n/);
    assert.match(shown, /copies +\d of \d, over (1 zone|\d zones)\n/);
    const stat = JSON.parse((await cli("stat", "--json", "trip/día.jpg")).out);
    assert.deepEqual([stat.size, stat.blocks], [3_000_001, 12]);
    assert.equal((await cli("mv", "trip/día.jpg", "b.jpg")).code, 0);
    assert.equal((await cli("pull", "b.jpg", "back.jpg")).code, 0);
    assert.deepEqual(await Deno.readFile(join(folder, "back.jpg")), bytes);
    assert.equal((await cli("rm", "b.jpg")).out, "removed b.jpg\n");
    assert.deepEqual(JSON.parse((await cli("ls", "--json")).out), { items: [], next: null });
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assert.deepEqual(names, ["a photo.jpg", "back.jpg"]);
  });
});

Deno.test("cli push -r and pull -r bring a folder back, links skipped and counted", async () => {
  await withServer(async ({ folder, cli, pool }) => {
    await Deno.mkdir(join(folder, "tree/in/ner"), { recursive: true });
    const files: Record<string, Uint8Array> = { "tree/empty": new Uint8Array() };
    for (let index = 0; index < 30; index++) files[`tree/in/${index}`] = randomBytes(index * 997);
    files["tree/in/ner/x y#?.bin"] = randomBytes(300_000);
    for (const [name, bytes] of Object.entries(files)) {
      await Deno.writeFile(join(folder, name), bytes);
    }
    await Deno.symlink("in", join(folder, "tree/link"));
    const pushed = await cli("push", "-r", "tree");
    assert.equal(pushed.code, 0, pushed.err);
    assert.match(pushed.out, /^pushed 32 files, /);
    assert.match(pushed.err, /skipped links and special files: tree\/link\n/);
    for (const verb of ["pull", "stat", "rm"]) {
      const { code, err } = await cli(verb, "tree");
      assert.deepEqual([code, /tree: it is a folder, use -r/.test(err)], [3, true], err);
    }
    await Deno.mkdir(join(folder, "nothing"));
    assert.match((await cli("push", "-r", "nothing")).err, /no file lies in it/);
    assert.match((await cli("push", "-r", "tree", "nothing")).err, /nothing: no file lies in it/);
    await Deno.mkdir(join(folder, "bad"));
    await Deno.writeTextFile(join(folder, "bad", "bell\x07"), "rings");
    const bad = await cli("push", "-r", "bad");
    assert.deepEqual(
      [bad.code, /bad\/bell\?: .*control character/.test(bad.err)],
      [2, true],
      bad.err,
    );
    assert.match((await cli("ls", "nosuch/")).err, /no name begins with nosuch\//);
    assert.deepEqual([...pool.files.keys()].sort(), Object.keys(files).sort());
    const pulled = await cli("pull", "-r", "tree/", "back", "--json");
    assert.equal(JSON.parse(pulled.out).items.length, 32, pulled.err);
    for (const [name, bytes] of Object.entries(files)) {
      const back = await Deno.readFile(join(folder, name.replace(/^tree/, "back")));
      assert.deepEqual(back, bytes, name);
    }
    assert.equal((await cli("rm", "-r", "tree", "--quiet")).out, "");
    assert.equal(pool.files.size, 0);
    assert.equal((await cli("pull", "-r", "tree")).code, 3);
  });
});

Deno.test("cli pull goes on with a part of the same content, and with no other", async () => {
  await withServer(async ({ folder, cli }) => {
    const bytes = randomBytes(1_000_000);
    await Deno.writeFile(join(folder, "f"), bytes);
    const { cid } = JSON.parse((await cli("push", "f", "--json")).out);
    for (const [stored, resumed] of [[cid, 599_999], ["bafkother", 0]] as const) {
      await Deno.writeFile(join(folder, "g.part"), bytes.subarray(0, 600_000));
      await Deno.writeTextFile(join(folder, "g.part.cid"), stored);
      const pulled = JSON.parse((await cli("pull", "f", "g", "--json")).out);
      assert.deepEqual([pulled.resumed, pulled.size], [resumed, 1_000_000]);
      assert.deepEqual(await Deno.readFile(join(folder, "g")), bytes);
    }
    await Deno.writeFile(join(folder, "g.part"), bytes);
    await Deno.writeTextFile(join(folder, "g.part.cid"), cid);
    assert.equal((await cli("pull", "f", "g")).code, 0);
    assert.deepEqual(await Deno.readFile(join(folder, "g")), bytes);
  });
});

Deno.test("cli pull keeps its part when the connection breaks, and never ends short", async () => {
  let broken = true;
  const change = (pool: MemoryPool): Partial<Pool> => ({
    open: async (name) => {
      const file = await pool.open(name);
      return {
        ...file,
        read: async function* (range) {
          let sent = 0;
          for await (const chunk of file.read(range)) {
            if (broken && sent > 500_000) throw new SkyringError("unavailable", "Cannot go on");
            yield chunk;
            sent += chunk.length;
          }
        },
      };
    },
  });
  await withServer(async ({ folder, cli }) => {
    const bytes = randomBytes(4_000_000);
    await Deno.writeFile(join(folder, "f"), bytes);
    await cli("push", "f");
    const failed = await cli("pull", "f", "g");
    assert.equal(failed.code, 1);
    assert.match(failed.err, /^skyring: Cannot pull f: .*(broke|bytes came)/m);
    await assert.rejects(Deno.stat(join(folder, "g")), Deno.errors.NotFound);
    broken = false;
    const done = JSON.parse((await cli("pull", "f", "g", "--json")).out);
    assert.ok(done.resumed > 0, `resumed ${done.resumed}`);
    assert.deepEqual(await Deno.readFile(join(folder, "g")), bytes);
  }, { change });
});

Deno.test("cli ends with the exit code of what went wrong, in words", async () => {
  const refuse = () =>
    Promise.reject(
      new SkyringError("full", "Cannot store file: no room", { data: { freeBytes: 5_000_000 } }),
    );
  await withServer(async ({ folder, cli }) => {
    const missing = await cli("pull", "nothing");
    assert.deepEqual([missing.code, missing.out], [3, ""]);
    assert.match(missing.err, /^skyring: Cannot find file nothing\n$/);
    await Deno.writeFile(join(folder, "big"), randomBytes(5_000_000));
    const full = await cli("push", "big");
    assert.equal(full.code, 4, full.err);
    assert.match(full.err, /skyring: Cannot store file: no room \(5\.00 MB free\); make room/);
    for (const args of [["pul", "x"], ["push"], ["ls", "--jsno"], ["stat", "a/../b"], []]) {
      assert.equal((await cli(...args)).code, 2, args.join(" "));
    }
    assert.match((await cli("pul", "x")).err, /did you mean pull\?/);
    const away = await cli("ls", "--node", "http://127.0.0.1:1");
    assert.deepEqual([away.code, /Cannot reach http/.test(away.err)], [1, true], away.err);
    const asJson = JSON.parse((await cli("stat", "nothing", "--json")).out);
    assert.equal(asJson.error.code, "not_found");
  }, { change: () => ({ push: refuse }) });
});

Deno.test("cli push waits for a pool that is still starting", async () => {
  let refusals = 2;
  const change = (pool: MemoryPool): Partial<Pool> => ({
    push: (body, options) =>
      refusals-- > 0
        ? Promise.reject(new SkyringError("not_ready", "Cannot change files: starting"))
        : pool.push(body, options),
  });
  await withServer(async ({ folder, cli, pool }) => {
    await Deno.writeFile(join(folder, "f"), randomBytes(2_000_000));
    const pushed = await cli("push", "f");
    assert.deepEqual([pushed.code, pool.files.get("f")?.size], [0, 2_000_000], pushed.err);
    assert.equal(refusals, -1);
  }, { change });
});

Deno.test("cli without the token is not allowed, with it is", async () => {
  await withServer(async ({ cli }) => {
    const refused = await cli("ls");
    assert.equal(refused.code, 5);
    assert.match(refused.err, /--token/);
    assert.equal((await cli("ls", "--token", "hush")).code, 0);
    assert.equal((await cli("nodes", "--token=wrong")).code, 5);
  }, { token: "hush" });
});

Deno.test("cli mv keeps both files when one of them changed, and overwrites nothing", async () => {
  await withServer(async ({ folder, cli, pool }) => {
    for (const name of ["a", "b"]) {
      await Deno.writeTextFile(join(folder, name), name);
      await cli("push", name);
    }
    const taken = await cli("mv", "a", "b");
    assert.equal(taken.code, 1);
    assert.match(taken.err, /Cannot move onto b: there is such a file; --force replaces it/);
    assert.equal(pool.files.size, 2);
    assert.equal((await cli("mv", "--force", "a", "b")).code, 0);
    assert.deepEqual([...pool.files.keys()], ["b"]);
    assert.equal((await cli("pull", "b", "-")).out, "a");
  });
});

Deno.test("cli shows status, nodes and ring", async () => {
  await withServer(async ({ cli }) => {
    assert.match((await cli("status")).out, /^node {7}node-1 of group skyring/);
    const nodes = await cli("nodes");
    assert.match(nodes.out, /^name .*\nnode-1 +alive .*\nnode-2 +dead /, nodes.err);
    assert.equal(JSON.parse((await cli("nodes", "--json")).out).items.length, 2);
    const ring = await cli("ring");
    assert.match(ring.out, /^position .*successor\n/, ring.err);
    const invite = await cli("invite");
    assert.equal(invite.code, 0, invite.err);
  });
});

Deno.test("cli interrupted in mid-pull exits with 130 and leaves a part to go on with", async () => {
  const held = Promise.withResolvers<void>();
  const change = (pool: MemoryPool): Partial<Pool> => ({
    open: async (name) => {
      const file = await pool.open(name);
      return {
        ...file,
        read: async function* (range) {
          yield* file.read({ start: range.start, end: Math.min(range.end, 1_000_000) });
          await held.promise;
          throw new SkyringError("stopped", "Cannot go on");
        },
      };
    },
  });
  await withServer(async ({ folder, cli, spawn }) => {
    await Deno.writeFile(join(folder, "f"), randomBytes(4_000_000));
    await cli("push", "f");
    const child = spawn("pull", "f", "g");
    const part = join(folder, "g.part");
    const deadline = performance.now() + 10_000;
    const size = () => Deno.stat(part).then((info) => info.size, () => 0);
    while (await size() < 900_000) {
      assert.ok(performance.now() < deadline, "Cannot see the part grow");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    child.kill("SIGINT");
    const { code } = await child.output();
    held.resolve();
    assert.equal(code, 130);
    assert.ok(await size() >= 900_000);
    assert.match(await Deno.readTextFile(`${part}.cid`), /^bafy/);
  }, { change });
});

Deno.test("cli says what to do when no node answers, and ends with 1", async () => {
  await withServer(async ({ cli }) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const { code, err } = await cli("ls", "--node", `127.0.0.1:${port}`);
    assert.equal(code, 1);
    assert.equal(err, `skyring: Cannot reach http://127.0.0.1:${port}: no node listens there\n`);
  });
});

Deno.test("cli ends without a word when its reader has gone", async () => {
  await withServer(async ({ spawn }) => {
    const child = spawn("nodes");
    await child.stdout.cancel();
    const [{ code }, err] = await Promise.all([child.status, new Response(child.stderr).text()]);
    assert.deepEqual([code, err], [141, ""]);
  });
});
