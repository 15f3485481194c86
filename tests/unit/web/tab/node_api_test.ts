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
  const cut = () => {
    let sent = false;
    const body = new ReadableStream({
      pull(controller) {
        if (sent) return controller.error(new Error("cut"));
        sent = true;
        controller.enqueue(new TextEncoder().encode('{"items":['));
      },
    });
    return new Response(body);
  };
  await answering(cut, async (origin) => {
    await assert.rejects(createNodeApi(origin).rare({ limit: 1, seed: 1 }, never), {
      message: /^Cannot reach the node: /,
      retriable: true,
    });
  });
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
