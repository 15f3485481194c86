import assert from "node:assert/strict";
import type { LineMember, LineView } from "../../../../server/line/line_service.ts";
import {
  errorText,
  fileText,
  netmapText,
  statusText,
  walkText,
} from "../../../../server/line/line_text.ts";

const member = (id: string, line: string | null, state: LineMember["state"] = "alive") => {
  return { id, line, state };
};

const view: LineView = {
  self: "b",
  members: [
    member("a", "127.0.0.1:7110"),
    member("b", "127.0.0.1:7102", "suspect"),
    member("c", "10.0.0.9:80", "dead"),
    member("d", "10.0.0.9:1000", "left"),
    member("e", null),
  ],
  ring: ["c", "b", "a", "d", "e"],
};
const alone: LineView = { self: "b", members: [member("b", "127.0.0.1:7102")], ring: ["b"] };

Deno.test("netmapText() sorts by host and port number", () => {
  assert.equal(
    netmapText(view),
    "10.0.0.9:80=Dead\n10.0.0.9:1000=Dead\n7102=Alive\n7110=Alive\n<unset>=Alive\nOK\n",
  );
});

Deno.test("walkText() goes once around from the node that answers", () => {
  assert.equal(
    walkText(view),
    "7102->7110\n7110->10.0.0.9:1000\n10.0.0.9:1000-><unset>\n" +
      "<unset>->10.0.0.9:80\n10.0.0.9:80->7102\nOK\n",
  );
  assert.equal(walkText(alone), "OK\n");
});

Deno.test("statusText() names the own address and the successor's, or <unset> when alone", () => {
  assert.equal(statusText(view), "PORT 127.0.0.1:7102\nNEXT 127.0.0.1:7110\nOK\n");
  assert.equal(statusText(alone), "PORT 127.0.0.1:7102\nNEXT <unset>\nOK\n");
});

Deno.test("fileText() quotes as RFC 4180 where needed", () => {
  const row = (name: string, firstOwner: string | null) =>
    fileText({ name, size: 5, firstOwner }, view);
  assert.equal(row("a b.txt", "a"), "a b.txt,7110,5\n");
  assert.equal(row('a,"b"', "d"), '"a,""b""",10.0.0.9:1000,5\n');
  assert.equal(row("x", null), "x,<unset>,5\n");
});

Deno.test("errorText() is one line whatever the reason", () => {
  assert.equal(errorText("a\r\nOK\n"), "ERR a OK\n");
});
