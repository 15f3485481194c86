import assert from "node:assert/strict";
import fc from "fast-check";
import { isHost, parseTarget } from "../../../../server/http/target.ts";

Deno.test("parseTarget() keeps every segment that it accepts, in order and as written", () => {
  const segment = fc.stringMatching(/^[a-z0-9%._~-]{0,6}$/);
  fc.assert(fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), (segments) => {
    const raw = `/${segments.join("/")}`;
    const target = parseTarget(raw, { host: "localhost:1", encrypted: false });
    const dotted = segments.some((each) => /^(\.|%2e){1,2}$/i.test(each));
    assert.equal(target.ok, !dotted);
    // What the router sees is what came: nothing was folded away.
    if (target.ok) assert.equal(target.url.pathname, raw);
  }));
});

Deno.test("parseTarget() never lets a target choose another host than Host", () => {
  fc.assert(fc.property(fc.string(), fc.webAuthority(), (path, authority) => {
    for (const raw of [path, `/${path}`, `//${authority}/${path}`, `http://${authority}/${path}`]) {
      const target = parseTarget(raw, { host: "localhost:1", encrypted: false });
      if (target.ok) assert.equal(target.url.host, "localhost:1");
    }
  }));
});

Deno.test("isHost() takes one name or address and nothing around it", () => {
  for (const host of ["localhost", "a.b:80", "[::1]:7000", "127.0.0.1"]) assert.ok(isHost(host));
  const bad = ["", "a,b", "a b", "user@a", "a/b", "a:", "a:999999", "::1", "[a]b", "a\r\nb"];
  for (const host of bad) assert.ok(!isHost(host), host);
});
