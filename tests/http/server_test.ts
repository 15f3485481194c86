// The HTTP server at the level of sockets: what half-open, short, slow and leaving clients cost.

import assert from "node:assert/strict";
import { createHttpServer, type HttpServer } from "../../server/http/server.ts";
import type { FetchHandler } from "../../server/http/adapter.ts";
import { standingStill, until } from "../e2e/until.ts";
import { rawSocket } from "./socket.ts";

const KiB = 1024;

async function withServer(
  handler: FetchHandler,
  use: (port: number, server: HttpServer) => Promise<void>,
  waits?: { idleMs: number; bodyWindowMs: number },
): Promise<void> {
  const server = createHttpServer(handler, {
    host: "127.0.0.1",
    port: 0,
    log: () => undefined,
    ...(waits === undefined ? {} : { waits }),
  });
  const port = await server.start();
  try {
    await use(port, server);
  } finally {
    await server.stop();
  }
}

function text(body: string, status = 200): Response {
  return new Response(body, { status, headers: { "content-length": String(body.length) } });
}

Deno.test("createHttpServer() closes half-open clients while others are served", async () => {
  await withServer(() => Promise.resolve(text("ok")), async (port) => {
    const slow = await Promise.all(Array.from({ length: 40 }, () => rawSocket(port)));
    slow.forEach((client, index) =>
      client.write(index % 2 === 0 ? "" : "GET / HTTP/1.1\r\nHost: x\r\nA: ")
    );
    const trickle = setInterval(
      () => slow.forEach((each, index) => index % 2 && each.write("b")),
      300,
    );
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/`);
      assert.equal(await answer.text(), "ok");
      await Promise.all(slow.map((client) => client.closed(9_000)));
    } finally {
      clearInterval(trickle);
      slow.forEach((client) => client.socket.destroy());
    }
  });
});

Deno.test("createListener() breaks the connection when a body fails midway", async () => {
  const failing = (headers: Record<string, string>, seen: Promise<void>) => {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (sent++ < 2) return controller.enqueue(new Uint8Array(1_000).fill(97));
        await seen;
        controller.error(new Error("a secret inner message"));
      },
    });
    return new Response(body, { headers });
  };
  for (const headers of [{}, { "content-length": "5000" }]) {
    const seen = Promise.withResolvers<void>();
    await withServer(() => Promise.resolve(failing(headers, seen.promise)), async (port) => {
      const client = await rawSocket(port);
      client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      await client.until(/a{1000}/);
      seen.resolve();
      const got = await client.closed();
      assert.match(got, /^HTTP\/1\.1 200 /);
      assert.doesNotMatch(got, /\r\n0\r\n\r\n$/);
      assert.doesNotMatch(got, /secret/);
    });
  }
});

Deno.test("createListener() fails a body with short_body when it ends early", async () => {
  for (const framing of ["Content-Length: 1000", "Transfer-Encoding: chunked"]) {
    const failed = Promise.withResolvers<unknown>();
    const handler: FetchHandler = async (request) => {
      try {
        await request.arrayBuffer();
        failed.resolve("ended cleanly");
      } catch (error) {
        failed.resolve(error);
      }
      return text("late");
    };
    await withServer(handler, async (port) => {
      const client = await rawSocket(port);
      const start = framing.startsWith("Content") ? "abc" : "3\r\nabc\r\n";
      client.write(`PUT / HTTP/1.1\r\nHost: x\r\n${framing}\r\n\r\n${start}`);
      client.socket.end();
      const error = await failed.promise;
      assert.ok(error instanceof Error, String(error));
      assert.equal(Reflect.get(error, "code"), "short_body");
      client.socket.destroy();
    });
  }
});

Deno.test("createListener() sends 100 Continue on the first read only", async () => {
  const handler: FetchHandler = async (request) =>
    request.url.endsWith("/refuse") ? text("no", 507) : text(await request.text());
  await withServer(handler, async (port) => {
    const head = (path: string) =>
      `PUT ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`;
    const taken = await rawSocket(port);
    taken.write(head("/take"));
    await taken.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
    taken.write("hello");
    await taken.until(/HTTP\/1\.1 200 [^]*hello$/);
    taken.socket.destroy();
    const refused = await rawSocket(port);
    refused.write(head("/refuse"));
    const got = await refused.until(/no$/);
    assert.match(got, /^HTTP\/1\.1 507 /);
    await refused.closed();
  });
});

Deno.test("createListener() gets an early answer to curl in the middle of an upload", async () => {
  const handler: FetchHandler = async (request) => {
    const reader = request.body?.getReader();
    for (let taken = 0; reader && taken < 256 * KiB;) {
      taken += (await reader.read()).value?.length ?? 0;
    }
    return text("full", 507);
  };
  await withServer(handler, async (port) => {
    const curl = new Deno.Command("curl", {
      args: [
        "-sS",
        "-m",
        "20",
        "-w",
        "%{http_code}",
        "-H",
        "Expect:",
        "-T",
        "-",
        `http://127.0.0.1:${port}/x`,
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = curl.stdin.getWriter();
    const feed = (async () => {
      const chunk = new Uint8Array(256 * KiB);
      for (let count = 0; count < 1_000; count++) await writer.write(chunk);
    })().catch(() => undefined); // curl stops reading when it has its answer
    const output = await curl.output();
    await feed;
    await writer.close().catch(() => undefined); // the pipe broke with curl's end
    assert.match(new TextDecoder().decode(output.stdout), /507$/);
  });
});

Deno.test("createListener() aborts signal and body when the client leaves", async () => {
  let cancelled = false;
  let aborted = false;
  const handler: FetchHandler = (request) => {
    request.signal.addEventListener("abort", () => aborted = true);
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(10)),
      cancel: () => void (cancelled = true),
    });
    return Promise.resolve(new Response(body));
  };
  await withServer(handler, async (port) => {
    const client = await rawSocket(port);
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await client.until(/200/);
    client.socket.destroy();
    await until("abort and cancel", () => cancelled && aborted, { withinMs: 5_000 });
  });
});

Deno.test("createListener() produces no more than a client reads", async () => {
  let produced = 0;
  const handler: FetchHandler = () => {
    const chunk = new Uint8Array(256 * KiB);
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      produced += chunk.length;
      // Ends what a server without back-pressure would never end.
      if (produced > 64 * KiB * KiB) controller.error(new Error("nobody reads this"));
      else controller.enqueue(chunk);
    };
    return Promise.resolve(new Response(new ReadableStream({ pull }, { highWaterMark: 0 })));
  };
  await withServer(handler, async (port) => {
    const client = await rawSocket(port);
    client.socket.pause();
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    // Once the sockets' buffers are full.
    await standingStill("what is produced", () => produced);
    assert.ok(produced < 64 * KiB * KiB, `${produced} bytes for a client that reads none`);
    client.socket.destroy();
  });
});

Deno.test("createListener() reads an upload no faster than the handler does", async () => {
  const release = Promise.withResolvers<void>();
  const handler: FetchHandler = async (request) => {
    await request.body?.getReader().read();
    await release.promise;
    return text("done");
  };
  await withServer(handler, async (port) => {
    const client = await rawSocket(port);
    client.write("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");
    const chunk = new Uint8Array(256 * KiB);
    let accepted = 0;
    const pour = () => {
      while (!client.socket.destroyed && client.socket.writableLength < KiB * KiB) {
        accepted += chunk.length;
        client.socket.write(chunk);
      }
    };
    client.socket.on("drain", pour);
    pour();
    await standingStill("what is accepted", () => accepted);
    assert.ok(accepted < 64 * KiB * KiB, `took ${accepted} bytes that nobody read`);
    release.resolve();
    await client.until(/done$/);
    client.socket.destroy();
  });
});

Deno.test("createListener() refuses targets and hosts that do not agree", async () => {
  const handler: FetchHandler = (request) => Promise.resolve(text(new URL(request.url).pathname));
  await withServer(handler, async (port) => {
    const host = `127.0.0.1:${port}`;
    const rows: readonly (readonly [string, string, number])[] = [
      ["/a", host, 200],
      [`http://${host}/a`, host, 200],
      ["http://evil.example/a", host, 400],
      [`http://${host}/a`, "evil.example", 400],
      ["/a/../../etc/passwd", host, 400],
      ["/a/%2e%2E/b", host, 400],
      ["/api/files/a/../b", host, 422],
      ["/a", "", 400],
      ["/a", "a,b", 400],
      ["/a", "user@127.0.0.1", 400],
      ["a", host, 400],
      ["/a\\b", host, 400],
    ];
    for (const [target, host, status] of rows) {
      const client = await rawSocket(port);
      client.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      const got = await client.closed();
      assert.equal(got.slice(9, 12), String(status), `${target} at ${host}: ${got}`);
    }
    const client = await rawSocket(port);
    client.write("GET /a HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert.match(await client.closed(), /^HTTP\/1\.1 400/);
  });
});

Deno.test("createListener() cuts off a body that trickles, not one that waits for us", async () => {
  const outcome = Promise.withResolvers<unknown>();
  const handler: FetchHandler = async (request) => {
    if (request.url.endsWith("/patient")) {
      // Twice the window passes on our side: not the client's fault.
      await new Promise((resolve) => setTimeout(resolve, 600));
      return text(String((await request.arrayBuffer()).byteLength));
    }
    await request.arrayBuffer().catch(outcome.resolve);
    return text("never seen");
  };
  await withServer(handler, async (port) => {
    const head = (path: string, length: number) =>
      `PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
    const trickle = await rawSocket(port);
    trickle.write(head("/trickle", 1_000));
    const drip = setInterval(() => trickle.write("x"), 50);
    const patient = await rawSocket(port);
    patient.write(`${head("/patient", 5)}hello`);
    try {
      await trickle.closed();
      assert.equal(Reflect.get(Object(await outcome.promise), "code"), "timeout");
      await patient.until(/\r\n\r\n5$/);
    } finally {
      clearInterval(drip);
      patient.socket.destroy();
    }
  }, { idleMs: 60_000, bodyWindowMs: 300 });
});

Deno.test("createHttpServer() closes a client that stops reading its download", async () => {
  let cancelled = false;
  const handler: FetchHandler = () => {
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(256 * KiB)),
      cancel: () => void (cancelled = true),
    }, { highWaterMark: 0 });
    return Promise.resolve(new Response(body));
  };
  await withServer(handler, async (port) => {
    const client = await rawSocket(port);
    client.socket.pause();
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await until("the body of an idle client is cancelled", () => cancelled, { withinMs: 5_000 });
    client.socket.destroy();
  }, { idleMs: 500, bodyWindowMs: 20_000 });
});

Deno.test("stop() ends streams under way and refuses new connections", async () => {
  const handler: FetchHandler = () => Promise.resolve(new Response(new ReadableStream()));
  const server = createHttpServer(handler, { host: "127.0.0.1", port: 0, log: () => undefined });
  const port = await server.start();
  const client = await rawSocket(port);
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await client.until(/200/);
  await server.stop();
  await client.closed();
  await assert.rejects(rawSocket(port));
});

Deno.test("start() says which port is in use", async () => {
  await withServer(() => Promise.resolve(text("ok")), async (port) => {
    const other = createHttpServer(() => Promise.resolve(text("no")), {
      host: "127.0.0.1",
      port,
      log: () => undefined,
    });
    await assert.rejects(other.start(), (error: Error) => error.message.includes(String(port)));
  });
});

Deno.test("createHttpServer() refuses requests that parsers read differently", async () => {
  let handled = 0;
  const handler: FetchHandler = () => {
    handled++;
    return Promise.resolve(text("ok"));
  };
  await withServer(handler, async (port) => {
    const start = `PUT /x HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`;
    const rows: readonly (readonly [string, string])[] = [
      ["400", `${start}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
      ["400", `${start}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`],
      ["400", `${start}Content-Length: -5\r\n\r\nhello`],
      ["400", `${start}X : y\r\n\r\n`],
      ["400", "\x16\x03\x01\r\n\r\n"],
      ["431", `${start}X: ${"a".repeat(20 * KiB)}\r\n\r\n`],
    ];
    for (const [status, request] of rows) {
      const client = await rawSocket(port);
      client.write(request);
      const got = await client.closed();
      assert.equal(got.slice(9, 12), status, request.slice(0, 120));
      assert.equal(got.match(/HTTP\/1\.1 /g)?.length, 1);
    }
    assert.equal(handled, 0);
  });
});

Deno.test("createHttpServer() never writes an error into an answer under way", async () => {
  const handler: FetchHandler = () => {
    const start = (controller: ReadableStreamDefaultController<Uint8Array>) =>
      controller.enqueue(new Uint8Array(10).fill(97));
    return Promise.resolve(new Response(new ReadableStream({ start })));
  };
  await withServer(handler, async (port) => {
    const client = await rawSocket(port);
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await client.until(/a{10}/);
    client.write("\x00garbage\r\n\r\n");
    const got = await client.closed();
    assert.equal(got.match(/HTTP\/1\.1 /g)?.length, 1, got);
    assert.doesNotMatch(got, /\r\n0\r\n/);
  });
});
