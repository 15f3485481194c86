import assert from "node:assert/strict";
import { SkyringError } from "../../../shared/base/errors.ts";
import {
  type Config,
  type ConfigSources,
  nearestOf,
  resolveConfig,
  settingsHelp,
} from "../../../server/config.ts";
import { encodeInvite } from "../../../shared/wire/invite.ts";
import { settingTable } from "../../../server/setting_table.ts";

function resolve(
  args: string[],
  rest: Partial<ConfigSources> & { files?: Record<string, string> } = {},
): Config {
  return resolveConfig({
    args,
    environment: {},
    userFolder: "/home/user",
    checkout: "/skyring",
    readFile: (path) => rest.files?.[path],
    ...rest,
  });
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof SkyringError && error.code === "bad_setting", String(error));
    return error.message;
  }
  throw new Error("Cannot test refusal: nothing was refused");
}

Deno.test("resolveConfig() gives the documented defaults when nothing is set", () => {
  const config = resolve([]);
  assert.equal(config.group, "skyring");
  assert.equal(config.host, "127.0.0.1");
  assert.equal(config.port, undefined);
  assert.equal(config.capacity, 10 * 2 ** 30);
  assert.equal(config.replicas, 3);
  assert.equal(config.graceMs, 30_000);
  assert.equal(config.keepMs, 86_400_000);
  assert.equal(config.repairRate, undefined);
  assert.equal(config.secrets, undefined);
  assert.equal(config.noMdns, false);
  assert.equal(config.dataRoot, "/skyring/data");
});

Deno.test("resolveConfig() prefers flag to environment to skyring.json to default", () => {
  const files = { "/skyring/skyring.json": '{"replicas": 4, "group": "f", "zone": "file"}' };
  const environment = { SKYRING_REPLICAS: "5", SKYRING_GROUP: "env", OTHER: "x" };
  const config = resolve(["--replicas", "6"], { files, environment });
  assert.deepEqual([config.replicas, config.group, config.zone], [6, "env", "file"]);
});

Deno.test("resolveConfig() reads --flag=value, switches and lists", () => {
  const config = resolve([
    "--port=9000",
    "--no-mdns",
    "--public=false",
    "--join",
    "http://a:1, /ip4/1.2.3.4/tcp/5",
    "--secret=new,old",
    "--capacity=512MiB",
    "--repair-rate=10MB/s",
  ]);
  assert.equal(config.port, 9000);
  assert.equal(config.noMdns, true);
  assert.equal(config.public, false);
  assert.deepEqual(config.join, ["http://a:1", "/ip4/1.2.3.4/tcp/5"]);
  assert.deepEqual(config.secrets, ["new", "old"]);
  assert.equal(config.capacity, 512 * 2 ** 20);
  assert.equal(config.repairRate, 10_000_000);
});

Deno.test("resolveConfig() takes relative paths from where the user stands", () => {
  const files = { "/home/user/s.txt": "hush\n" };
  const config = resolve(["--data", "pool/a", "--secret-file", "s.txt"], { files });
  assert.equal(config.data, "/home/user/pool/a");
  assert.deepEqual(config.secrets, ["hush"]);
});

Deno.test("resolveConfig() lets a secret file on the command line beat a secret elsewhere", () => {
  const files = { "/s": "mine" };
  const environment = { SKYRING_SECRET: "theirs" };
  assert.deepEqual(resolve(["--secret-file=/s"], { files, environment }).secrets, ["mine"]);
  assert.deepEqual(
    resolve(["--secret=x"], { files, environment: { SKYRING_SECRET_FILE: "/s" } }).secrets,
    ["x"],
  );
});

Deno.test("resolveConfig() names setting, value, origin and what is allowed", () => {
  assert.match(
    refusal(() => resolve([], { environment: { SKYRING_REPLICAS: "12" } })),
    /^Cannot use replicas "12" from environment SKYRING_REPLICAS: allowed is 1 to 9$/,
  );
  assert.match(
    refusal(() => resolve(["--capacity", "lots"])),
    /capacity "lots" from the command line: allowed is a size such as 512MiB/,
  );
  assert.match(
    refusal(() => resolve([], { files: { "/skyring/skyring.json": '{"port": 70000}' } })),
    /port "70000" from \/skyring\/skyring\.json: allowed is 0 \(any free one\) to 65535/,
  );
});

Deno.test("resolveConfig() refuses every bad value of every setting", () => {
  const bad: Record<string, string[]> = {
    name: ["", "..", "a/b", "x".repeat(64)],
    group: ["a b", "é"],
    host: ["", "a_b", "::zz"],
    "p2p-port": ["-1", "65536", "abc", ""],
    join: ["ftp://x", "sky2abc", "host:80"],
    replicas: ["0", "10", "3.5"],
    grace: ["0", "5", "500ms"],
    keep: ["soon"],
    "repair-rate": ["1"],
    public: ["maybe"],
    control: ["none"],
    log: ["xml"],
    "log-level": ["loud"],
    secret: ["", "a,b,c", "a b"],
    token: ["a,b"],
  };
  for (const [flag, texts] of Object.entries(bad)) {
    for (const text of texts) {
      assert.match(
        refusal(() => resolve([`--${flag}=${text}`])),
        new RegExp(`^Cannot use ${flag}`),
      );
    }
  }
});

Deno.test("resolveConfig() never shows a secret in its refusal", () => {
  const message = refusal(() => resolve(["--secret", "one,two,three"]));
  assert.ok(!message.includes("three"), message);
});

Deno.test("resolveConfig() refuses unknown flags with the nearest known one", () => {
  assert.match(refusal(() => resolve(["--prot", "1"])), /--prot: unknown; did you mean --port\?/);
  assert.match(refusal(() => resolve(["--qqqqqqqqqq"])), /--qqqqqqqqqq: unknown$/);
  assert.match(refusal(() => resolve(["--port"])), /value is missing/);
  assert.match(refusal(() => resolve(["--port=1", "--port=2"])), /given twice/);
  assert.match(refusal(() => resolve(["status"])), /"status": flags begin with --/);
});

Deno.test("resolveConfig() refuses a settings file that is missing or malformed", () => {
  const file = (text: string) => ({ files: { "/skyring/skyring.json": text } });
  assert.match(refusal(() => resolve(["--config", "my.json"])), /\/home\/user\/my\.json: no such/);
  assert.match(refusal(() => resolve([], file("{"))), /Cannot read settings file/);
  assert.match(refusal(() => resolve([], file("[1]"))), /holds no JSON object/);
  assert.match(refusal(() => resolve([], file('{"replica": 3}'))), /did you mean replicas\?/);
  assert.match(refusal(() => resolve([], file('{"join": {"a": 1}}'))), /must be a text/);
  assert.deepEqual(resolve([], file('{"allow-host": ["a.b", "c"]}')).allowHosts, ["a.b", "c"]);
});

Deno.test("resolveConfig() refuses settings that do not go together", () => {
  assert.match(refusal(() => resolve(["--tls-cert", "a"])), /given together/);
  assert.match(refusal(() => resolve(["--port=1", "--p2p-port=1"])), /must differ/);
  assert.match(refusal(() => resolve(["--edge", "--data=x"])), /edge node/);
  assert.equal(resolve(["--port=0", "--p2p-port=0"]).port, 0);
});

Deno.test("resolveConfig() takes addresses, group and secret out of an invite token", () => {
  const token = encodeInvite({ group: "home", addresses: ["/ip4/10.0.0.1/tcp/1"], secret: "s" });
  const config = resolve(["--join", `http://a:1,${token}`]);
  assert.deepEqual(config.join, ["http://a:1", "/ip4/10.0.0.1/tcp/1"]);
  assert.deepEqual([config.group, config.secrets], ["home", ["s"]]);
  assert.deepEqual(resolve([`--join=${token}`, "--secret=mine"]).secrets, ["mine"]);
  assert.match(refusal(() => resolve([`--join=${token}`, "--group=work"])), /join group home/);
  assert.match(refusal(() => resolve([`--join=${token}a`])), /Cannot read invite token/);
});

Deno.test("settingsHelp() names every flag", () => {
  const help = settingsHelp();
  for (const { flag } of Object.values(settingTable)) assert.ok(help.includes(`--${flag}`), flag);
});

Deno.test("nearestOf() gives nothing when nothing is near", () => {
  assert.equal(nearestOf("statu", ["status", "stat"]), "status");
  assert.equal(nearestOf("xyz", ["status", "stat"]), undefined);
});
