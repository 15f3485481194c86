// Who may do what: hosts, origins, tokens, proxies; and hostile paths, over real sockets where a
// fetch client would tidy the request up.

import assert from "node:assert/strict";
import hostile from "../golden/hostile_http.json" with { type: "json" };
import { createHttpServer } from "../../server/http/server.ts";
import { createFixture, type Fixture, fixturePort } from "./app_fixture.ts";
import { rawSocket } from "./socket.ts";

const token = "s3cret-token";
const beyond = { loopback: false, token };

async function withPort(fixture: Fixture, use: (port: number) => Promise<void>): Promise<void> {
  const server = createHttpServer(
    async (request, connection) => await fixture.app.fetch(request, connection),
    { host: "127.0.0.1", port: 0, log: () => undefined },
  );
  const port = await server.start();
  try {
    await use(port);
  } finally {
    await server.stop();
  }
}

async function rawRequest(port: number, head: string): Promise<string> {
  const client = await rawSocket(port);
  client.write(`${head}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  return await client.closed();
}

Deno.test("createApp() answers the host and origin matrix as expected", async () => {
  await withPort(createFixture(), async (port) => {
    for (const row of hostile.host_origin) {
      const fill = (text: string) =>
        text.replaceAll("OTHERPORT", String(port + 1)).replaceAll("PORT", String(port));
      const path = row.method === "GET" ? "/api/status" : "/api/invites";
      const origin = row.origin === null ? "" : `\r\nOrigin: ${fill(row.origin)}`;
      const head = `${row.method} ${path} HTTP/1.1\r\nHost: ${fill(row.host)}${origin}`;
      const status = Number((await rawRequest(port, head)).slice(9, 12));
      const where = JSON.stringify(row);
      if (typeof row.expect === "number") assert.equal(status, row.expect, where);
      // A request without Origin comes from a script, not from a page: a loopback node takes it.
      else assert.equal(status, 201, where);
    }
  });
});

Deno.test("createApp() never shows foreign content or a stack for hostile paths", async () => {
  const fixture = createFixture();
  await withPort(fixture, async (port) => {
    for (const path of hostile.paths_never_200_with_foreign_content) {
      const encoded = path.replace(/[^\x21-\x7e]/g, encodeURIComponent);
      const head = `GET ${encoded} HTTP/1.1\r\nHost: 127.0.0.1:${port}`;
      const got = await rawRequest(port, head);
      assert.match(got, /^HTTP\/1\.1 4\d\d /, `${path.slice(0, 80)}: ${got.slice(0, 200)}`);
      assert.match(got, /application\/problem\+json/);
      assert.doesNotMatch(got, /\n\s+at |root:x:|Set-Cookie/i);
    }
  });
  assert.deepEqual(fixture.logged, []);
});

Deno.test("checkAccess() refuses changes from other sites whatever else they carry", async () => {
  for (const site of ["cross-site", "same-site"]) {
    const fixture = createFixture(beyond);
    const headers = { authorization: `Bearer ${token}`, "sec-fetch-site": site };
    const answer = await fixture.ask("/api/files/x", { method: "PUT", body: "x", headers });
    assert.equal(answer.status, 403, site);
    assert.equal(fixture.pool.files.size, 0);
  }
});

Deno.test("checkAccess() takes the token as Bearer or cookie beyond loopback", async () => {
  const { ask } = createFixture(beyond);
  const status = async (headers: Record<string, string>, path = "/api/status") =>
    (await ask(path, { headers })).status;
  assert.equal(await status({}), 401);
  assert.equal(await status({ authorization: `Bearer ${token}x` }), 401);
  assert.equal(await status({ authorization: `Basic ${token}` }), 401);
  assert.equal(await status({ authorization: `Bearer ${token}` }), 200);
  assert.equal(await status({ authorization: `bearer ${token}`, host: "any.example" }), 200);
  assert.equal(await status({ cookie: `skyring-${fixturePort}=${token}` }), 401);
  assert.equal(await status({ "x-forwarded-for": "127.0.0.1" }), 401);
  for (const path of ["/health", "/ready", "/login"]) assert.equal(await status({}, path), 200);
  for (
    const path of ["/metrics", "/ipfs/x", "/routing/v1/providers/x", "/api/events", "/nothing"]
  ) {
    assert.equal(await status({}, path), 401, path);
  }
  const denied = await ask("/api/status");
  assert.match(denied.headers.get("www-authenticate") ?? "", /^Bearer/);
});

Deno.test("POST /login and /?token= set a cookie that works, on this port only", async () => {
  const { ask } = createFixture(beyond);
  const form = new URLSearchParams({ token });
  const answers = [
    await ask("/login", { method: "POST", body: form }),
    await ask("/login", {
      method: "POST",
      body: JSON.stringify({ token }),
      headers: { "content-type": "application/json" },
    }),
    await ask(`/?token=${token}`),
  ];
  for (const answer of answers) {
    assert.equal(answer.status, 303);
    assert.equal(answer.headers.get("location"), "/");
    assert.equal(answer.headers.get("cache-control"), "no-store");
    assert.equal(answer.headers.get("referrer-policy"), "no-referrer");
    const cookie = answer.headers.get("set-cookie") ?? "";
    assert.match(
      cookie,
      new RegExp(`^skyring-${fixturePort}=[0-9a-f]{64}; .*HttpOnly; SameSite=Strict$`),
    );
    assert.ok(!cookie.includes(token));
    const pair = cookie.split(";")[0] ?? "";
    assert.equal((await ask("/api/status", { headers: { cookie: pair } })).status, 200);
    const other = pair.replace(String(fixturePort), "9");
    assert.equal((await ask("/api/status", { headers: { cookie: other } })).status, 401);
  }
  const secure = await ask(`/?token=${token}`, { headers: { "x-forwarded-proto": "https" } });
  assert.match(secure.headers.get("set-cookie") ?? "", /; Secure$/);
  assert.equal((await ask("/?token=wrong")).status, 401);
  assert.equal((await ask("/login", { method: "POST", body: "token=wrong" })).status, 401);
  const page = await ask("/", { headers: { accept: "text/html" } });
  assert.equal(page.status, 401);
  assert.match(await page.text(), /<form method="post" action="\/login">/);
  // Its style is inside, and allowed by its hash: no other address answers a stranger.
  assert.match(page.headers.get("content-security-policy") ?? "", /style-src 'sha256-[\w+/=]+';/);
  const wrong = await ask("/login", {
    method: "POST",
    body: "token=wrong",
    headers: { "content-type": "application/x-www-form-urlencoded", accept: "text/html" },
  });
  assert.equal(wrong.status, 401);
  assert.match(await wrong.text(), /That is not the token/);
});

Deno.test("a loopback listener needs the token behind a proxy and with --allow-host", async () => {
  const proxied = createFixture({ token });
  const status = async ({ ask }: Fixture, headers: Record<string, string>) =>
    (await ask("/api/status", { headers })).status;
  assert.equal(await status(proxied, {}), 200);
  for (const name of ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-anything"]) {
    assert.equal(await status(proxied, { [name]: "x" }), 401, name);
    assert.equal(
      await status(proxied, { [name]: "x", authorization: `Bearer ${token}` }),
      200,
      name,
    );
  }
  assert.equal(await status(createFixture(), { "x-forwarded-for": "x" }), 403);
  const named = createFixture({ token, allowHosts: ["pool.example"] });
  assert.equal(await status(named, {}), 401);
  const good = { host: "pool.example:7000", authorization: `Bearer ${token}` };
  const url = "http://pool.example:7000/api/status";
  assert.equal((await named.ask(url, { headers: good })).status, 200);
  const evil = "http://evil.example:7000/api/status";
  assert.equal((await named.ask(evil, { headers: { ...good, host: "evil.example" } })).status, 403);
});

Deno.test("--public opens reading of /ipfs and /routing, and nothing else", async () => {
  const { ask, pool } = createFixture({ ...beyond, isPublic: true });
  const cid = "bafkreihhpc5y2pqvl5rbe5uuyhqjouybfs3rvlmisccgzue2kkt5zq6upq";
  assert.equal((await ask(`/routing/v1/providers/${cid}`)).status, 200);
  assert.equal((await ask(`/ipfs/${cid}`)).status, 504);
  assert.equal((await ask(`/ipfs/${cid}`, { method: "POST" })).status, 401);
  assert.equal((await ask(`/api/blocks/${cid}`)).status, 401);
  assert.equal(pool.files.size, 0);
});

Deno.test("a person without a token gets the form on every page, a program the problem", async () => {
  const { ask } = createFixture(beyond);
  for (const path of ["/", "/ui/files"]) {
    const page = await ask(path, { headers: { accept: "text/html,*/*" } });
    assert.equal(page.status, 401);
    assert.match(await page.text(), /<form method="post" action="\/login">/);
    assert.match((await ask(path)).headers.get("content-type") ?? "", /problem\+json/);
  }
  const status = await ask("/api/status", { headers: { accept: "text/html" } });
  assert.match(status.headers.get("content-type") ?? "", /problem\+json/);
});

Deno.test("pages of other origins read /ipfs of a public node only", async () => {
  for (const isPublic of [false, true]) {
    const { ask } = createFixture({ isPublic });
    const { cid } = await (await ask("/api/files/f", { method: "PUT", body: "f" })).json();
    const answer = await ask(`/ipfs/${cid}`, { headers: { origin: "http://other.example" } });
    assert.equal(await answer.text(), "f");
    assert.equal(answer.headers.get("access-control-allow-origin"), isPublic ? "*" : null);
  }
});

Deno.test("every answer has Skyring-Version, errors and unknown paths too", async () => {
  const { ask } = createFixture();
  for (const path of ["/health", "/nothing", "/api/files/none", "/api/files?limit=x", "/"]) {
    const answer = await ask(path);
    assert.equal(answer.headers.get("skyring-version"), "1.2.3", path);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff", path);
    await answer.body?.cancel();
  }
  const app = createFixture().app;
  const server = createHttpServer(
    (request, connection) => Promise.resolve(app.fetch(request, connection)),
    {
      ...{ host: "127.0.0.1", port: 0, log: () => undefined },
      version: "1.2.3",
    },
  );
  const port = await server.start();
  try {
    // Refused before the app sees them: a dot segment, and a request that cannot be read.
    for (const head of [`GET /a/../b HTTP/1.1\r\nHost: 127.0.0.1:${port}`, "GET / HTTP/9.9"]) {
      assert.match(await rawRequest(port, head), /^HTTP\/1\.1 4.*skyring-version: 1\.2\.3\r\n/si);
    }
  } finally {
    await server.stop();
  }
});

Deno.test("a bug is answered as internal, logged, and shows nothing of itself", async () => {
  const fixture = createFixture({}, {
    status: () => {
      throw new TypeError("inner secret");
    },
  });
  const answer = await fixture.ask("/api/status");
  assert.equal(answer.status, 500);
  assert.doesNotMatch(await answer.text(), /secret|TypeError|\.ts/);
  assert.match(fixture.logged.join(), /http\.bug .*inner secret/);
});
