import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatBinarySize,
  formatCount,
  formatDuration,
  formatRate,
  formatSize,
  formatTimeLeft,
  parseDuration,
  parseSize,
} from "../../../../shared/base/units.ts";

Deno.test("parseSize() reads decimal and binary units in any case", () => {
  assert.equal(parseSize("0"), 0);
  assert.equal(parseSize("1048576"), 1_048_576);
  assert.equal(parseSize("512MiB"), 512 * 2 ** 20);
  assert.equal(parseSize("2GB"), 2e9);
  assert.equal(parseSize(" 1.5 gib "), 1.5 * 2 ** 30);
  assert.equal(parseSize("10 kB"), 10_000);
});

Deno.test("parseSize() refuses what is no size", () => {
  for (const text of ["", "GB", "-1", "1e9", "1,5GB", "5 apples", "0x10", "9PiB9", "99999PB"]) {
    assert.equal(parseSize(text), undefined, text);
  }
});

Deno.test("parseDuration() reads units and demands one", () => {
  assert.equal(parseDuration("30s"), 30_000);
  assert.equal(parseDuration("24h"), 86_400_000);
  assert.equal(parseDuration("1.5m"), 90_000);
  assert.equal(parseDuration("0"), 0);
  for (const text of ["30", "", "h", "-1s", "1 year"]) assert.equal(parseDuration(text), undefined);
});

Deno.test("formatSize() and formatBinarySize() keep their units apart", () => {
  assert.equal(formatSize(0), "0 B");
  assert.equal(formatSize(999), "999 B");
  assert.equal(formatSize(1_500_000_000), "1.50 GB");
  assert.equal(formatSize(999_999), "1.00 MB");
  assert.equal(formatBinarySize(1.5 * 2 ** 30), "1.50 GiB");
  assert.equal(formatBinarySize(1_023), "1023 B");
  assert.equal(formatRate(12_340_000), "12.3 MB/s");
});

Deno.test("formatDuration() gives two units at most", () => {
  assert.equal(formatDuration(250), "250 ms");
  assert.equal(formatDuration(12_000), "12 s");
  assert.equal(formatDuration(200_000), "3 m 20 s");
  assert.equal(formatDuration(187_200_000), "2 d 4 h");
  assert.equal(formatDuration(86_400_000), "1 d");
});

Deno.test("formatTimeLeft() says unknown while nothing moves", () => {
  assert.equal(formatTimeLeft(100, 0), "time left unknown");
  assert.equal(formatTimeLeft(2_000_000, 10_000), "3 m 20 s left");
  assert.equal(formatTimeLeft(0, 10_000), "0 s left");
});

Deno.test("formatSize() is read back by parseSize() within its digits", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 1e15 }), (bytes) => {
    for (const text of [formatSize(bytes), formatBinarySize(bytes)]) {
      const back = parseSize(text);
      assert.ok(back !== undefined && Math.abs(back - bytes) <= Math.max(1, bytes * 0.006), text);
    }
  }));
});

Deno.test("formatCount() has a plural for all but one", () => {
  const said = [0, 1, 2].map((count) => formatCount(count, "zone"));
  assert.deepEqual(said, ["0 zones", "1 zone", "2 zones"]);
});
