import assert from "node:assert/strict";
import fc from "fast-check";
import {
  contentHeaders,
  dispositionOf,
  isActiveType,
  typeOfName,
} from "../../../../server/http/media_types.ts";

Deno.test("dispositionOf() is one safe header for any name, and keeps the name", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (name) => {
    const header = dispositionOf("inline", name);
    assert.match(
      header,
      /^inline; filename="[\x20-\x21\x23-\x7e]*"(; filename\*=UTF-8''[\w!#$&+.^`|~%-]*)?$/,
    );
    new Headers({ "content-disposition": header });
    const base = name.slice(name.lastIndexOf("/") + 1).toWellFormed();
    const encoded = /filename\*=UTF-8''(.*)$/.exec(header)?.[1];
    const plain = /filename="([^"]*)"/.exec(header)?.[1];
    assert.equal(encoded === undefined ? plain : decodeURIComponent(encoded), base);
  }));
});

Deno.test("typeOfName() goes by the last ending, whatever its case", () => {
  assert.equal(typeOfName("a/b.c/PHOTO.JPG"), "image/jpeg");
  assert.equal(typeOfName("x.tar.gz"), "application/gzip");
  for (const name of ["README", "a.b/c", "x.unknown", "", "x."]) {
    assert.equal(typeOfName(name), "application/octet-stream", name);
  }
});

Deno.test("contentHeaders() sends everything that could run as a download", () => {
  for (const name of ["a.html", "a.htm", "a.xhtml", "a.svg", "a.xml", "a.js", "a.pdf", "a.HTML"]) {
    assert.match(contentHeaders(name)["content-disposition"] ?? "", /^attachment/, name);
  }
  for (const name of ["a.txt", "a.png", "a.mp4", "a.json"]) {
    assert.match(contentHeaders(name)["content-disposition"] ?? "", /^inline/, name);
  }
  assert.ok(isActiveType("application/rss+xml; charset=utf-8"));
  assert.ok(isActiveType("TEXT/HTML"));
});
