// Who may do what through a gateway, and what passes through it as it is: sessions, events,
// upgrades.

import assert from "node:assert/strict";
import { rawSocket } from "../../../http/socket.ts";
import { withGateway } from "./gateway_bench.ts";

Deno.test("the gateway judges Host, Origin and token as a node does", async () => {
  await withGateway([{}], async ({ base, port, nodes }) => {
    const ask = async (path: string, headers: Record<string, string>, method = "GET") => {
      const socket = await rawSocket(port);
      const lines = Object.entries({ host: `127.0.0.1:${port}`, ...headers });
      socket.write(`${method} ${path} HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n`);
      socket.write(`${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
      return Number(/^HTTP\/1\.1 (\d+)/.exec(await socket.closed())?.[1]);
    };
    assert.equal(await ask("/api/status", { host: "evil.example" }), 403);
    assert.equal(await ask("/api/files/f", { origin: "http://evil.example" }, "DELETE"), 403);
    assert.equal(await ask("/api/files/f", { "sec-fetch-site": "cross-site" }, "PUT"), 403);
    assert.equal(await ask("/api/status", { "x-forwarded-for": "1.2.3.4" }), 403);
    assert.deepEqual(nodes[0]?.asked, []);
    assert.equal(
      await ask("/api/files/f", { origin: base, "sec-fetch-site": "same-origin" }, "PUT"),
      201,
    );
    assert.equal(await ask("/api/files/../x", {}), 422);
  });
});

Deno.test("a session of the gateway's cookie reaches nodes under their own name", async () => {
  const token = "hush";
  await withGateway([{ config: { token, loopback: false } }], async ({ base, port, nodes }) => {
    assert.equal((await fetch(`${base}/api/status`)).status, 401);
    const login = await fetch(`${base}/login`, {
      ...{ method: "POST", redirect: "manual", body: new URLSearchParams({ token }) },
    });
    const cookie = (login.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
    assert.equal(login.status, 303);
    assert.ok(cookie.startsWith(`skyring-${port}=`), cookie);
    const status = await fetch(`${base}/api/status`, { headers: { cookie } });
    assert.equal(status.status, 200);
    await status.body?.cancel();
    assert.match(
      nodes[0]?.asked.at(-1)?.headers.get("cookie") ?? "",
      new RegExp(`^skyring-${nodes[0]?.port}=`),
    );
    const bearer = await fetch(`${base}/api/status`, {
      headers: { authorization: `Bearer ${token}` },
    });
    assert.equal(bearer.status, 200);
    await bearer.body?.cancel();
  });
});

Deno.test("a gateway with its own token logs in before loopback nodes, and adds no authority", async () => {
  const token = "hush";
  await withGateway(
    [{}, { config: { token: "other", loopback: false } }],
    async ({ base, nodes }) => {
      const proxied = { "x-forwarded-for": "1.2.3.4" };
      assert.equal((await fetch(`${base}/api/status`, { headers: proxied })).status, 401);
      const link = await fetch(`${base}/?token=${token}`, { redirect: "manual", headers: proxied });
      assert.equal(link.status, 303);
      const cookie = (link.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
      const statuses = new Set<number>();
      for (let round = 0; round < 4; round++) {
        const response = await fetch(`${base}/api/files/none`, { headers: { cookie, ...proxied } });
        statuses.add(response.status);
        await response.body?.cancel();
      }
      // The loopback node answers; the one with another token sees no token of the gateway's.
      assert.deepEqual([...statuses].sort(), [401, 404]);
      assert.ok(
        nodes.every(({ asked }) => asked.every(({ headers }) => !headers.has("authorization"))),
      );
      assert.ok(
        nodes.every(({ asked }) => asked.every(({ headers }) => !headers.has("x-forwarded-for"))),
      );
    },
    { token },
  );
});

Deno.test("events stream through as they happen, and end when the client leaves", async () => {
  await withGateway([{}], async ({ base }) => {
    const response = await fetch(`${base}/api/events`);
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    assert.match((await reader?.read())?.value ?? "", /^: skyring/);
    await reader?.cancel();
  });
});

Deno.test("upgrades are joined to a node both ways; foreign pages and proxies are not", async () => {
  await withGateway([{}], async ({ port, nodes }) => {
    nodes[0]?.http.node.on("upgrade", (request, socket) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nX-Origin: ${request.headers.origin}\r\n\r\n`,
      );
      socket.on("data", (bytes: Uint8Array) => socket.write(bytes));
      socket.on("end", () => socket.destroy());
      socket.on("error", () => socket.destroy());
    });
    const upgrade = async (headers: string, host = `127.0.0.1:${port}`) => {
      const socket = await rawSocket(port);
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\n${headers}`);
      socket.write("Upgrade: websocket\r\n\r\n");
      return socket;
    };
    const own = await upgrade(`Origin: http://127.0.0.1:${port}\r\n`);
    const head = await own.until(/\r\n\r\n/);
    assert.match(
      head,
      new RegExp(`^HTTP/1.1 101 .*X-Origin: http://127.0.0.1:${nodes[0]?.port}`, "s"),
    );
    own.write("echo");
    await own.until(/echo$/);
    own.socket.destroy();
    assert.match(
      await (await upgrade("Origin: http://evil.example\r\n")).closed(),
      /^HTTP\/1\.1 403/,
    );
    assert.match(await (await upgrade("X-Forwarded-For: 1.2.3.4\r\n")).closed(), /^HTTP\/1\.1 403/);
    assert.match(await (await upgrade("", "evil.example")).closed(), /^HTTP\/1\.1 403/);
  });
});
