// What a tab makes of answers that are none, or stop in the middle.

import assert from "node:assert/strict";
import { createNodeApi } from "../../../../web/tab/node_api.ts";

const never = new AbortController().signal;

async function answering(
  answer: () => Response,
  use: (origin: string) => Promise<void>,
): Promise<void> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answer);
  try {
    await use(`http://127.0.0.1:${server.addr.port}`);
  } finally {
    await server.shutdown();
  }
}

Deno.test("NodeApi says that a node cannot be reached, and that it may be tried again", async () => {
  let origin = "";
  await answering(() => new Response(), (at) => Promise.resolve(void (origin = at)));
  const unreachable = { name: "SkyringError", code: "unavailable", retriable: true };
  await assert.rejects(createNodeApi(origin).rare({ limit: 1, seed: 1 }, never), unreachable);
});

Deno.test("NodeApi tells an answer that breaks off from one that is of no node", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const cutting = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(65_536));
    const cut = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"items":[';
    await connection.write(new TextEncoder().encode(cut));
  })();
  const api = createNodeApi(`http://127.0.0.1:${listener.addr.port}`);
  await assert.rejects(api.rare({ limit: 1, seed: 1 }, never), {
    message: /^Cannot reach the node: /,
    retriable: true,
  });
  await cutting;
  listener.close();
  await answering(() => new Response("<html>"), async (origin) => {
    await assert.rejects(createNodeApi(origin).rare({ limit: 1, seed: 1 }, never), {
      message: "Cannot read answer: it is not one of a node",
      retriable: false,
    });
  });
  await answering(() => new Response("<html>", { status: 502 }), async (origin) => {
    await assert.rejects(createNodeApi(origin).rare({ limit: 1, seed: 1 }, never), {
      message: "the node answered 502",
      retriable: true,
    });
  });
});
