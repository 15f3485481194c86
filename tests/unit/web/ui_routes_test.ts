// The dashboard's routes over a pool in memory: hostile names in every view, the policy, 304,
// forms and what they refuse, previews.

import assert from "node:assert/strict";
import type { NodeSnapshot } from "../../../shared/status.ts";
import { createFixture, type Fixture, node, status } from "../../http/app_fixture.ts";

const hostileNames = [
  '<img src=x onerror="alert(1)">.txt',
  "a\"b'c`d.png",
  "</title><script>alert(1)</script>",
  "{{constructor.constructor('alert(1)')()}}",
  "javascript:alert(1)",
  "x' hx-get='/evil' hx-trigger='load",
  "--replicas=1",
  "‮gnp.exe",
  "&lt;b&gt;.md",
  "folder <u>/%2e%2e/inner.mp4",
];
const pages = [
  "/",
  "/ui/nodes",
  "/ui/files",
  "/ui/ring",
  "/ui/wanted",
  "/ui/peers",
  "/ui/workers",
  "/ui/jobs",
  "/ui/tab",
];

async function put(fixture: Fixture, name: string, body = "x"): Promise<string> {
  const path = name.split("/").map(encodeURIComponent).join("/");
  const answer = await fixture.ask(`/api/files/${path}`, { method: "PUT", body });
  assert.equal(answer.status, 201, name);
  return (await answer.json()).cid;
}

function post(fixture: Fixture, path: string, fields: Record<string, string>, headers = {}) {
  return fixture.ask(path, {
    method: "POST",
    body: new URLSearchParams(fields),
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
  });
}

/** Nothing in the markup that only data could have brought, and nothing inline. */
function assertTame(html: string, what: string): void {
  for (const bad of ["<img src=x", "<u>", "<script>alert", 'onerror="', "hx-get='"]) {
    assert.ok(!html.includes(bad), `${what} holds ${bad}`);
  }
  assert.ok(!/<script(?![^>]* src="\/static\/)/.test(html), `${what} has an inline script`);
  assert.ok(!/<[^>]* style="/.test(html), `${what} has an inline style`);
  assert.ok(!/<[a-z][^>]* on[a-z]+="/.test(html), `${what} has an inline handler`);
}

Deno.test("every page shows hostile names of files as text", async () => {
  const fixture = createFixture();
  for (const name of hostileNames) {
    await put(fixture, name);
    fixture.services.events.publish("file", { name });
    const query = new URLSearchParams({ name, key: name, prefix: name });
    for (const path of ["/ui/file", "/ui/ring", "/ui/files", "/ui/part/file", "/ui/part/share"]) {
      const answer = await fixture.ask(`${path}?${query}`);
      assert.equal(answer.status, 200, `${path} of ${name}`);
      assertTame(await answer.text(), `${path} of ${name}`);
    }
  }
  for (const path of [...pages, "/ui/part/overview", "/ui/part/files"]) {
    assertTame(await (await fixture.ask(path)).text(), path);
  }
});

Deno.test("every page shows hostile words of other nodes as text", async () => {
  const text = '"><img src=x onerror="alert(1)"><u>';
  const foreign: NodeSnapshot = {
    ...node,
    id: "12D3KooWB",
    name: text,
    zone: text,
    version: text,
    http: 'http://127.0.0.1:1/"><b>',
    phase: { ...node.phase, because: text },
  };
  const many = Array.from({ length: 30 }, (_, index) => ({ ...foreign, id: `x${index}` }));
  for (const nodes of [[node, foreign], many]) {
    const fixture = createFixture({}, {
      nodes: () => nodes,
      status: () => ({ ...status, name: text, group: text }),
      workers: {
        list: () => [{
          name: text,
          state: "failed",
          progress: text,
          lastError: text,
          lastErrorAt: 1,
        }],
        pause: () => false,
        resume: () => false,
      },
    });
    for (const path of pages) assertTame(await (await fixture.ask(path)).text(), path);
    for (const order of ["leave", "stop", "resize", "forget"]) {
      const query = new URLSearchParams({ node: nodes[1]?.id ?? "", order, size: `1GiB${text}` });
      const answer = await fixture.ask(`/ui/node?${query}`);
      assert.equal(answer.status, 200, order);
      assertTame(await answer.text(), order);
    }
  }
});

Deno.test("a node's address that is no web address makes no link", async () => {
  const foreign = { ...node, id: "b", name: "b", http: "javascript:alert(1)" };
  const { ask } = createFixture({}, { nodes: () => [node, foreign] });
  assert.ok(!(await (await ask("/ui/nodes")).text()).includes("javascript:"));
});

Deno.test("every page has the strict policy, and pages in the navigation exist", async () => {
  const { ask } = createFixture();
  const html = await (await ask("/")).text();
  const linked = [...html.matchAll(/<nav.*?<\/nav>/gs)].flatMap(([nav]) =>
    [...nav.matchAll(/href="([^"]+)"/g)].map(([, href = ""]) => href)
  );
  assert.deepEqual(linked, pages);
  for (const path of linked) {
    const answer = await ask(path);
    assert.equal(answer.status, 200, path);
    const policy = answer.headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/);
    assert.ok(!policy.includes("unsafe"), policy);
    assert.equal(answer.headers.get("x-frame-options"), "DENY");
    await answer.body?.cancel();
  }
});

Deno.test("pages of absent services are absent, in the navigation too", async () => {
  const { services } = createFixture();
  const { ring: _r, peers: _p, workers: _w, wanted: _a, invite: _i, shareKey: _s, ...rest } =
    services;
  const { createApp } = await import("../../../server/http/app.ts");
  const app = createApp(rest);
  const ask = (path: string) => app.request(`http://127.0.0.1:7000${path}`);
  const html = await (await ask("/")).text();
  for (const path of ["/ui/ring", "/ui/peers", "/ui/workers", "/ui/wanted"]) {
    assert.equal((await ask(path)).status, 404, path);
    assert.ok(!html.includes(`href="${path}"`), path);
  }
  assert.ok(!(await (await ask("/ui/nodes")).text()).includes("Invite"));
});

Deno.test("an unchanged part answers 304 without a body, a changed one 200", async () => {
  const fixture = createFixture();
  for (const path of ["/ui/part/overview", "/ui/part/nodes", "/ui/part/files", "/ui/part/ring"]) {
    const first = await fixture.ask(path);
    const etag = first.headers.get("etag") ?? "";
    assert.match(etag, /^W\/".+"$/);
    const headers = { "if-none-match": etag };
    const again = await fixture.ask(path, { headers });
    assert.equal(again.status, 304, path);
    assert.equal(again.body, null);
    await first.body?.cancel();
  }
  const before = await fixture.ask("/ui/part/files");
  await put(fixture, "new.txt");
  const headers = { "if-none-match": before.headers.get("etag") ?? "" };
  assert.equal((await fixture.ask("/ui/part/files", { headers })).status, 200);
});

Deno.test("static files are compressed, tagged, immutable by hash, and come from here", async () => {
  const { ask } = createFixture();
  const html = await (await ask("/")).text();
  const addresses = [...html.matchAll(/(?:src|href)="(\/static\/[^"]+)"/g)].map(([, it = ""]) =>
    it
  );
  assert.ok(addresses.length >= 5);
  assert.ok(!/(?:src|href)="(?:https?:)?\/\//.test(html), "nothing from outside");
  for (const address of addresses) {
    const answer = await ask(address, { headers: { "accept-encoding": "gzip" } });
    assert.equal(answer.status, 200, address);
    const cache = answer.headers.get("cache-control") ?? "";
    assert.match(cache, address.includes("?v=") ? /immutable/ : /no-cache/);
    const etag = answer.headers.get("etag") ?? "";
    await answer.body?.cancel();
    assert.equal((await ask(address, { headers: { "if-none-match": etag } })).status, 304);
  }
  const stale = await ask("/static/style.css?v=old");
  assert.equal(stale.headers.get("cache-control"), "no-cache");
  assert.equal((await ask("/static/../app.ts")).status, 404);
});

Deno.test("rename moves the name, and refuses one that is taken or a version that is not shown", async () => {
  const fixture = createFixture();
  const cid = await put(fixture, "old name.txt", "one");
  await put(fixture, "taken.txt", "two");
  const taken = await post(fixture, "/ui/file/rename", {
    name: "old name.txt",
    cid,
    to: "taken.txt",
  });
  assert.equal(taken.status, 200);
  assert.match(await taken.text(), /notice is-risk/);
  assert.equal(await (await fixture.ask("/api/files/taken.txt")).text(), "two");
  const done = await post(fixture, "/ui/file/rename", {
    name: "old name.txt",
    cid,
    to: "a/new.txt",
  });
  assert.equal(done.status, 303);
  assert.equal(done.headers.get("location"), "/ui/file?name=a%2Fnew.txt");
  assert.equal((await fixture.ask("/api/files/old%20name.txt")).status, 404);
  assert.equal(await (await fixture.ask("/api/files/a/new.txt")).text(), "one");
  const other = await put(fixture, "other.txt", "three");
  const stale = await post(fixture, "/ui/file/delete", { name: "a/new.txt", cid: other });
  assert.equal(stale.status, 200, "the file's page with the reason");
  assert.equal((await fixture.ask("/api/files/a/new.txt")).status, 200);
});

Deno.test("copy, copies and delete do what they say", async () => {
  const fixture = createFixture();
  const cid = await put(fixture, "a.txt", "one");
  await post(fixture, "/ui/file/copy", { name: "a.txt", cid, to: "b.txt" });
  assert.equal(await (await fixture.ask("/api/files/b.txt")).text(), "one");
  await post(fixture, "/ui/file/copies", { name: "a.txt", cid, replicas: "5" });
  assert.equal(fixture.pool.files.get("a.txt")?.replicas.wanted, 5);
  const wrong = await post(fixture, "/ui/file/copies", { name: "a.txt", cid, replicas: "99" });
  assert.match(await wrong.text(), /from 1 to 9/);
  const gone = await post(fixture, "/ui/file/delete", { name: "a.txt", cid });
  assert.equal(gone.headers.get("location"), "/ui/files");
  assert.equal((await fixture.ask("/api/files/a.txt")).status, 404);
});

Deno.test("a share link is made by a form, works, and is not kept by caches", async () => {
  const fixture = createFixture();
  await put(fixture, "a b.txt", "shared");
  const whole = await post(fixture, "/ui/share", { name: "a b.txt", days: "7" });
  assert.match(await whole.text(), /<html/);
  const part = await post(fixture, "/ui/share", { name: "a b.txt", days: "7" }, {
    "hx-request": "true",
  });
  assert.equal(part.headers.get("cache-control"), "no-store");
  const html = await part.text();
  assert.ok(!html.includes("<html"));
  const url = /value="(http[^"]+\/s\/[^"]+)"/.exec(html)?.[1] ?? "";
  assert.equal(await (await fixture.ask(url)).text(), "shared");
});

Deno.test("no form works from another site, by GET, or with another type of body", async () => {
  const fixture = createFixture();
  const cid = await put(fixture, "a.txt");
  const fields = { name: "a.txt", cid };
  for (const headers of [{ "sec-fetch-site": "cross-site" }, { origin: "https://evil.example" }]) {
    assert.equal((await post(fixture, "/ui/file/delete", fields, headers)).status, 403);
  }
  assert.equal((await post(fixture, "/ui/file/delete", fields, { origin: "null" })).status, 403);
  assert.equal((await fixture.ask(`/ui/file/delete?${new URLSearchParams(fields)}`)).status, 404);
  const plain = { "content-type": "text/plain" };
  assert.equal((await post(fixture, "/ui/file/delete", fields, plain)).status, 400);
  assert.equal((await fixture.ask("/api/files/a.txt")).status, 200);
});

Deno.test("the theme is a cookie, and its form leads nowhere else", async () => {
  const fixture = createFixture();
  const set = await post(fixture, "/ui/theme", { theme: "dark", back: "/ui/nodes" });
  assert.equal(set.headers.get("location"), "/ui/nodes");
  const cookie = set.headers.get("set-cookie")?.split(";")[0] ?? "";
  const html = await (await fixture.ask("/", { headers: { cookie } })).text();
  assert.match(html, /<html lang="en" data-theme="dark"/);
  const away = [
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "/\n/x",
  ];
  for (const back of away) {
    const answer = await post(fixture, "/ui/theme", { theme: "x", back });
    assert.equal(answer.headers.get("location"), "/");
  }
});

Deno.test("previews of text are plain and in a sandbox, whatever the name claims", async () => {
  const fixture = createFixture();
  for (const name of ["page.html", "script.js", "picture.xml", "notes.md"]) {
    await put(fixture, name, "<script>alert(1)</script>");
    const answer = await fixture.ask(`/ui/preview/${name}`);
    assert.equal(answer.headers.get("content-type"), "text/plain; charset=utf-8", name);
    assert.match(answer.headers.get("content-security-policy") ?? "", /^sandbox;/);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    await answer.body?.cancel();
  }
  await put(fixture, "big.log", "x".repeat(300_000));
  const big = await fixture.ask("/ui/preview/big.log");
  assert.equal((await big.text()).length, 256 * 1_024);
  await put(fixture, "a.pdf", "%PDF");
  const pdf = await fixture.ask("/ui/preview/a.pdf");
  assert.equal(pdf.headers.get("content-type"), "application/pdf");
  await pdf.body?.cancel();
  await put(fixture, "a.svg", "<svg onload='alert(1)'/>");
  assert.equal((await fixture.ask("/ui/preview/a.svg")).status, 404);
});

Deno.test("a page that cannot be made says why, with the right status", async () => {
  const { ask } = createFixture();
  const answer = await ask("/ui/file?name=nothing");
  assert.equal(answer.status, 404);
  assert.match(answer.headers.get("content-type") ?? "", /text\/html/);
  assert.match(await answer.text(), /Cannot find file nothing/);
  const part = await ask("/ui/part/file?name=nothing");
  assert.match(await part.text(), /There is no nothing any more/);
  assert.equal((await ask("/ui/file?name=nothing&from=-1")).status, 422);
});

Deno.test("/ui/events gives an address four streams, then 204, and frees the place of one that left", async () => {
  const { app } = createFixture();
  const connection = { remoteAddress: "127.0.0.1", encrypted: false };
  const open = () => app.fetch(new Request("http://127.0.0.1:7000/ui/events"), connection);
  const streams = [await open(), await open(), await open(), await open()];
  assert.equal((await open()).status, 204);
  await streams[0]?.body?.cancel();
  const fifth = await open();
  assert.equal(fifth.status, 200);
  for (const stream of [...streams.slice(1), fifth]) await stream.body?.cancel();
});

Deno.test("files are found by words in any order, capitals and accents aside", async () => {
  const fixture = createFixture();
  for (const name of ["Photos/Été 2025.JPG", "photos/hiver 2025.jpg", "x.txt"]) {
    await put(fixture, name);
  }
  const list = async (query: Record<string, string>) =>
    await (await fixture.ask(`/ui/files?${new URLSearchParams(query)}`)).text();
  const two = await list({ q: "2025 phot" });
  assert.match(two, /2 names hold “2025 phot”\./);
  assert.ok(!two.includes("x.txt"));
  assert.match(await list({ q: "ete jpg" }), /1 name holds/);
  assert.match(await list({ q: "<none>" }), /No name holds “&lt;none&gt;”/);
  assert.match(await list({ prefix: "Photos/", q: "2025" }), /1 name holds/);
  assert.match(two, /deno task cli ls &#39;--words=2025 phot&#39;/);
  const { items } = await (await fixture.ask("/api/files?words=HIVER%202025")).json();
  assert.deepEqual(items.map(({ name }: { name: string }) => name), ["photos/hiver 2025.jpg"]);
  assert.match(await list({ prefix: "gone/" }), /No name begins with “gone\/”/);
});

Deno.test("a deleted file comes back by one form, and never over a name taken since", async () => {
  const fixture = createFixture();
  const cid = await put(fixture, "a/plan.txt", "first");
  assert.match(await (await fixture.ask("/ui/deleted")).text(), /Nothing was deleted lately/);
  await post(fixture, "/ui/file/delete", { name: "a/plan.txt", cid });
  for (const path of ["/ui/deleted", "/ui/part/files"]) {
    const html = await (await fixture.ask(path)).text();
    assert.match(html, /action="\/ui\/file\/undelete"/, path);
    assert.ok(html.includes(cid), path);
  }
  // A name that went because its content was renamed is no loss.
  const renamed = { name: "b.txt", cid: await put(fixture, "b.txt", "b"), to: "c.txt" };
  assert.equal((await post(fixture, "/ui/file/rename", renamed)).status, 303);
  await fixture.ask("/api/files/c.txt?moved=1", { method: "DELETE" });
  assert.match(await (await fixture.ask("/ui/deleted")).text(), /1 deleted file can be/);
  await put(fixture, "a/plan.txt", "second");
  const fields = { name: "a/plan.txt", cid, replicas: "3" };
  const taken = await post(fixture, "/ui/file/undelete", fields);
  assert.ok([409, 412].includes(taken.status), String(taken.status));
  assert.equal(await (await fixture.ask("/api/files/a/plan.txt")).text(), "second");
  await fixture.ask("/api/files/a/plan.txt", { method: "DELETE" });
  const back = await post(fixture, "/ui/file/undelete", fields);
  assert.deepEqual([back.status, back.headers.get("location")], [
    303,
    "/ui/file?name=a%2Fplan.txt",
  ]);
  assert.equal(await (await fixture.ask("/api/files/a/plan.txt")).text(), "first");
});
