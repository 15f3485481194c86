import assert from "node:assert/strict";
import { createServer, type Server, type ServerResponse } from "node:http";
import { forward } from "../../../../server/gateway/forward.ts";
import { createHeldBodies } from "../../../../server/gateway/held_body.ts";
import { NodeSet } from "../../../../server/gateway/node_set.ts";
import { version } from "../../../../shared/base/version.ts";

/** A listener that answers polls as told, and all else with `answer`. */
async function listen(
  options: { readonly ready: () => number | undefined; answer?(response: ServerResponse): void },
): Promise<{ readonly server: Server; readonly base: string }> {
  const server = createServer((request, response): void => {
    if (request.url?.startsWith("/api/nodes")) return void response.writeHead(404).end();
    if (request.url !== "/ready") return options.answer?.(response);
    const status = options.ready();
    if (status !== undefined) response.writeHead(status, { "skyring-version": version }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return { server, base: `http://127.0.0.1:${address.port}` };
}

for (const path of ["/api/blocks/bafy", "/api/files/f?view=blocks"]) {
  Deno.test(`forward() keeps reading ${path} of a node that missed a poll`, async () => {
    let isSilent = false;
    const rest = Promise.withResolvers<void>();
    const busy = await listen({
      ready: () => isSilent ? undefined : 200,
      answer: (response) => {
        response.writeHead(200, { "content-length": "8", "content-type": "text/plain" });
        response.write("half");
        rest.promise.then(() => response.end("rest"));
      },
    });
    const other = await listen({ ready: () => 503 });
    const nodes = new NodeSet({
      ...{ self: "127.0.0.1:8000", given: [busy.base, other.base], token: null },
      log: () => undefined,
      waits: { pollMs: 60_000, timeoutMs: 1_000 },
    });
    try {
      await nodes.poll();
      const passing = { nodes, bodies: createHeldBodies(), port: 8000, log: () => undefined };
      const response = await forward(new Request(`http://127.0.0.1:8000${path}`), passing);
      const reader = response.body?.getReader();
      assert.equal(new TextDecoder().decode((await reader?.read())?.value), "half");
      isSilent = true;
      await nodes.poll();
      const [node] = nodes.all();
      assert.ok(node?.quiet.aborted && !node.gone.aborted);
      rest.resolve();
      assert.equal(new TextDecoder().decode((await reader?.read())?.value), "rest");
      assert.equal((await reader?.read())?.done, true);
    } finally {
      await nodes.stop();
      for (const { server } of [busy, other]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    }
  });
}

Deno.test("forward() asks a node that broke off no more, until a poll finds it again", async () => {
  const asked = { broken: 0, well: 0 };
  const broken = await listen({
    ready: () => 200,
    answer: (response) => {
      asked.broken += 1;
      response.destroy();
    },
  });
  const well = await listen({
    ready: () => 200,
    answer: (response) => {
      asked.well += 1;
      response.writeHead(200).end("answer");
    },
  });
  const nodes = new NodeSet({
    ...{ self: "127.0.0.1:8000", given: [broken.base, well.base], token: null },
    log: () => undefined,
    waits: { pollMs: 60_000, timeoutMs: 1_000 },
  });
  try {
    await nodes.poll();
    const passing = { nodes, bodies: createHeldBodies(), port: 8000, log: () => undefined };
    const read = async () => {
      const response = await forward(new Request("http://127.0.0.1:8000/api/blocks/b"), passing);
      assert.equal(await response.text(), "answer");
    };
    for (let turn = 0; turn < 6; turn++) await read();
    assert.deepEqual(asked, { broken: 1, well: 6 });
    await nodes.poll();
    for (let turn = 0; turn < 6; turn++) await read();
    assert.deepEqual(asked, { broken: 2, well: 12 });
  } finally {
    await nodes.stop();
    for (const { server } of [broken, well]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }
});
