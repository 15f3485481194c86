import assert from "node:assert/strict";
import { generateKeyPair } from "@libp2p/crypto/keys";
import type { Connection, PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { SkyringError } from "../../../../shared/base/errors.ts";
import { asNodeId } from "../../../../shared/base/ids.ts";
import { protocolVersion } from "../../../../shared/base/version.ts";
import { tabConnectionsMax } from "../../../../shared/base/tab_limits.ts";
import {
  type AdmissionMessage,
  admissionProtocol,
  decodeAdmission,
  encodeAdmission,
  ownSpeech,
  proofOf,
} from "../../../../shared/wire/admission.ts";
import { encodeFrame, frameHeaderBytes } from "../../../../shared/wire/frame.ts";
import { createAdmission } from "../../../../server/net/admission.ts";
import { deriveGroupKeys } from "../../../../server/net/group_keys.ts";
import type { Host } from "../../../../server/net/host.ts";
import type { ChannelLimits } from "../../../../server/net/network.ts";
import { makeRawPeer, rawDial, record } from "./raw_peer.ts";
import { addressOf, listenHttp, until, withHosts } from "./test_hosts.ts";

const limits: ChannelLimits = {
  messageBytesMax: 1_024,
  concurrencyMax: 4,
  queueMax: 16,
  roles: ["member"],
};

Deno.test("settled() keeps nothing of a connection that has closed before", async () => {
  const id = peerIdFromPrivateKey(await generateKeyPair("Ed25519"));
  const connection = { remotePeer: id, status: "closed" } as unknown as Connection;
  const admission = createAdmission({
    ...{ group: "g", selfId: asNodeId(id.toString()), bootId: "b", public: true, deadlineMs: 5 },
    keys: await deriveGroupKeys("g", []),
    isLoopback: () => true,
    now: () => 0,
    answers: () => Promise.resolve(true),
    onEvent: () => undefined,
  });
  assert.equal((await admission.settled(connection)).kind, "refused");
  assert.deepEqual(admission.connections(), []);
});

/** Dials and says why it was not admitted, or that it was. */
async function outcomeOf(from: Host, to: Host): Promise<string> {
  try {
    await from.dial(addressOf(to));
    return "admitted";
  } catch (error) {
    assert.ok(error instanceof SkyringError);
    return error.code === "not_admitted" ? String(error.data.reason) : error.code;
  }
}

const cases: readonly [string, readonly string[], readonly string[], string][] = [
  ["both without a secret", [], [], "admitted"],
  ["the same secret", ["a"], ["a"], "admitted"],
  ["rotated: dialler new and old, acceptor old", ["new", "old"], ["old"], "admitted"],
  ["rotated: dialler old, acceptor new and old", ["old"], ["new", "old"], "admitted"],
  ["rotated on both sides", ["c", "b"], ["b", "a"], "admitted"],
  ["a wrong secret", ["a"], ["b"], "wrong_secret"],
  ["a dialler without a secret", [], ["b"], "no_secret"],
  ["an acceptor without a secret", ["a"], [], "secret_here_missing"],
];

for (const [what, dialler, acceptor, expected] of cases) {
  Deno.test(`dial() is ${expected} with ${what}, and both sides know`, () =>
    withHosts(async (make) => {
      const [a, b] = [await make({ secrets: dialler }), await make({ secrets: acceptor })];
      await a.host.start();
      await b.host.start();
      assert.equal(await outcomeOf(a.host, b.host), expected);
      const kind = expected === "admitted" ? "admitted" : "refused";
      await until(() => b.events.some((event) => event.kind === kind), { what: `b: ${kind}` });
      assert.ok(a.events.some((event) => event.kind === kind));
      assert.equal(a.host.connected().length, expected === "admitted" ? 1 : 0);
      assert.equal(b.host.connected().length, expected === "admitted" ? 1 : 0);
      if (expected === "admitted") return;
      assert.equal(b.host.refusals().get(expected as never), 1);
    }));
}

Deno.test("dial() names both versions on both sides when a peer speaks another protocol", () =>
  withHosts(async (make) => {
    const next = protocolVersion + 1;
    const later = { speaks: { protocol: next, version: "2.0.0" } };
    for (const [dialler, acceptor] of [[later, {}], [{}, later]]) {
      const [a, b] = [await make(dialler), await make(acceptor)];
      await a.host.start();
      await b.host.start();
      assert.equal(await outcomeOf(a.host, b.host), "other_version");
      await until(() => b.events.some(({ kind }) => kind === "refused"), { what: "b: refused" });
      for (const { host, events } of [a, b]) {
        const refused = events.find((event) => event.kind === "refused");
        assert.ok(refused?.kind === "refused");
        assert.match(refused.reason, /speaks protocol \d \(version \d.*, this node \d \(version/);
        const said = (protocol: number, version: string) =>
          new RegExp(`(protocol|this node) ${protocol} \\(version ${version}`);
        assert.match(refused.reason, said(next, "2\\.0\\.0"));
        assert.match(refused.reason, said(protocolVersion, ""));
        assert.equal(host.connected().length, 0);
      }
    }
  }));

Deno.test("a peer whose disk is older than its last start met is refused, and believes it", () =>
  withHosts(async (make) => {
    for (const secrets of [[], ["s"]]) {
      for (const side of ["dialler", "acceptor"]) {
        const known = { starts: 5, boot: "e".repeat(16) };
        const noted: unknown[] = [];
        const marks = { last: () => known, note: (...of: unknown[]) => void noted.push(of) };
        const member = await make({ secrets, marks, starts: 1 });
        const restored = await make({ secrets, starts: 5 });
        await member.host.start();
        await restored.host.start();
        const [from, to] = side === "dialler" ? [restored, member] : [member, restored];
        assert.equal(await outcomeOf(from.host, to.host), "restored_disk");
        await until(() => restored.events.some(({ kind }) => kind === "restored_disk"), {
          what: `${side}: knows it`,
        });
        assert.ok(!member.events.some(({ kind }) => kind === "restored_disk"));
        assert.deepEqual(noted, []);
        const later = await make({ secrets, starts: 6 });
        await later.host.start();
        assert.equal(await outcomeOf(later.host, member.host), "admitted");
        await until(() => noted.length === 1, { what: `${side}: its mark` });
      }
    }
  }));

Deno.test("dial() refuses a group of another name", () =>
  withHosts(async (make) => {
    const [a, b] = [await make({ group: "one" }), await make({ group: "two" })];
    await a.host.start();
    await b.host.start();
    assert.equal(await outcomeOf(a.host, b.host), "other_group");
  }));

Deno.test("a node without a secret neither dials nor accepts an address that is not loopback", () =>
  withHosts(async (make) => {
    const far = { isLoopback: () => false };
    const [near, nowhere] = [await make(), await make(far)];
    await near.host.start();
    await nowhere.host.start();
    assert.equal(await outcomeOf(nowhere.host, near.host), "not_loopback");
    assert.equal(await outcomeOf(near.host, nowhere.host), "unreachable");
    assert.equal(nowhere.host.peers().length + near.host.peers().length, 0);
  }));

Deno.test("a node with a secret accepts an address that is not loopback", () =>
  withHosts(async (make) => {
    const far = { isLoopback: () => false, secrets: ["s"] };
    const [a, b] = [await make(far), await make(far)];
    await a.host.start();
    await b.host.start();
    assert.equal(await outcomeOf(a.host, b.host), "admitted");
  }));

/** Speaks admission by hand on a raw connection. */
async function converse(
  address: string,
  script: (io: {
    send: (message: AdmissionMessage) => void;
    next: () => Promise<AdmissionMessage>;
    ids: { dialler: string; acceptor: string };
    connection: Connection;
  }) => Promise<void>,
  privateKey?: PrivateKey,
): Promise<void> {
  const peer = await makeRawPeer(privateKey);
  try {
    const connection = await rawDial(peer, address);
    const stream = await connection.newStream(admissionProtocol("test"));
    const heard = record(stream);
    let read = 0;
    await script({
      send: (message) =>
        void stream.send(encodeFrame({ kind: 1, id: 0, payload: encodeAdmission(message) })),
      next: async () => {
        const rest = () => heard.bytes().subarray(read);
        const length = () => new DataView(rest().slice(0, 4).buffer).getUint32(0) + 4;
        await until(() => rest().length >= 4 && rest().length >= length(), { what: "an answer" });
        const message = decodeAdmission(rest().slice(frameHeaderBytes, length()));
        read += length();
        assert.ok(message !== undefined);
        return message;
      },
      ids: { dialler: peer.peerId.toString(), acceptor: connection.remotePeer.toString() },
      connection,
    });
  } finally {
    await peer.stop();
  }
}

const hello = (nonce: Uint8Array): AdmissionMessage => ({
  t: "hello",
  speaks: ownSpeech,
  nonce,
  boot: "0".repeat(16),
  role: "member",
});

Deno.test("a proof that is reflected, replayed or made up is refused", () =>
  withHosts(async (make) => {
    const { host } = await make({ secrets: ["s"] });
    await host.start();
    const { proofs: [key] } = await deriveGroupKeys("test", ["s"]);
    assert.ok(key !== undefined);
    const nonce = new Uint8Array(32).fill(7);
    let recorded = new Uint8Array(32);
    const attempt = (macOf: (good: Uint8Array, swapped: Uint8Array) => Uint8Array) =>
      new Promise<AdmissionMessage>((resolve, reject) =>
        converse(addressOf(host), async ({ send, next, ids }) => {
          send(hello(nonce));
          const challenge = await next();
          assert.ok(challenge.t === "challenge");
          const transcript = {
            group: "test",
            role: "member" as const,
            diallerId: ids.dialler,
            acceptorId: ids.acceptor,
            diallerNonce: nonce,
            acceptorNonce: challenge.nonce,
            diallerBoot: "0".repeat(16),
            acceptorBoot: challenge.boot,
          };
          const good = proofOf(transcript, { key, side: "dialler" });
          send({
            t: "proof",
            macs: [macOf(good, proofOf(transcript, { key, side: "acceptor" }))],
          });
          resolve(await next());
        }).catch(reject)
      );
    const first = await attempt((good) => recorded = good.slice());
    assert.equal(first.t, "welcome");
    const replayed = await attempt(() => recorded);
    assert.deepEqual(replayed, { t: "refused", reason: "wrong_secret" });
    const reflected = await attempt((_, acceptors) => acceptors);
    assert.deepEqual(reflected, { t: "refused", reason: "wrong_secret" });
    const madeUp = await attempt(() => new Uint8Array(32));
    assert.deepEqual(madeUp, { t: "refused", reason: "wrong_secret" });
    assert.equal(host.connected().length, 0);
  }));

Deno.test("an unadmitted peer opens no channel, no gossip and no DHT, and is closed in time", () =>
  withHosts(async (make) => {
    const { host, events } = await make({ secrets: ["s"] });
    let heard = 0;
    host.channel("secret", limits).handle(() => void heard++);
    await host.start();
    const peer = await makeRawPeer();
    try {
      const connection = await rawDial(peer, addressOf(host));
      const names = ["/skyring/test/secret/1.0.0", "/skyring/kad/1.0.0", "/meshsub/1.1.0"];
      const endings = names.map(async (name) => {
        const stream = await connection.newStream(name);
        const seen = record(stream);
        stream.send(encodeFrame({ kind: 1, id: 1, payload: new Uint8Array(8) }));
        await seen.ended;
        return seen.bytes().length;
      });
      assert.deepEqual(await Promise.all(endings), [0, 0, 0]);
      await until(() => connection.status !== "open", { what: "closed" });
      assert.equal(heard, 0);
      assert.equal(host.refusals().get("timeout"), 1);
      assert.ok(events.some((event) => event.kind === "refused" && event.reason === "timeout"));
    } finally {
      await peer.stop();
    }
  }));

Deno.test("garbage on the admission stream is refused and the connection closed", () =>
  withHosts(async (make) => {
    const { host } = await make({ secrets: ["s"] });
    await host.start();
    const garbage = [
      new Uint8Array(0),
      new Uint8Array(64).fill(0xff),
      new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"),
      encodeFrame({ kind: 1, id: 0, payload: new Uint8Array([0xa1, 0x61]) }),
      encodeFrame({ kind: 1, id: 0, payload: encodeAdmission({ t: "done" }) }),
    ];
    for (const bytes of garbage) {
      const peer = await makeRawPeer();
      try {
        const connection = await rawDial(peer, addressOf(host));
        const stream = await connection.newStream(admissionProtocol("test"));
        if (bytes.length > 0) stream.send(bytes);
        await until(() => connection.status !== "open", { what: `closed after ${bytes}` });
      } finally {
        await peer.stop();
      }
    }
    await until(() => host.peers().length === 0, { what: "nobody left" });
    assert.equal(host.connected().length, 0);
  }));

Deno.test("a tab is admitted by its ticket as tab, and by no other ticket", () =>
  withHosts(async (make) => {
    const noted: unknown[] = [];
    const marks = { last: () => undefined, note: (...of: unknown[]) => void noted.push(of) };
    const node = await make({ secrets: ["s"], marks });
    await node.host.start();
    const privateKey = await generateKeyPair("Ed25519");
    const ticket = node.host.issueTicket(peerIdFromPrivateKey(privateKey).toString());
    const tab = await make({ privateKey, ticket, listen: [], starts: 7 });
    await tab.host.start();
    assert.equal(await outcomeOf(tab.host, node.host), "admitted");
    const isTab = () => node.host.peers().map((peer) => peer.role).join() === "tab";
    await until(isTab, { what: "the node takes it for a tab" });
    assert.deepEqual(node.host.connected(), []);
    assert.deepEqual(noted, [], "starts are kept of members only");
    const thief = await make({ ticket, listen: [] });
    await thief.host.start();
    assert.equal(await outcomeOf(thief.host, node.host), "bad_ticket");
    const late = await make({ secrets: ["s"], now: () => Date.now() + 25 * 3_600_000 });
    await late.host.start();
    assert.equal(await outcomeOf(tab.host, late.host), "expired_ticket");
  }));

Deno.test("tabs welcomed together are let in up to the limit, the others turned away", () =>
  withHosts(async (make) => {
    const { host } = await make({ secrets: ["s"], admissionDeadlineMs: 20_000 });
    await host.start();
    const privateKey = await generateKeyPair("Ed25519");
    const ticket = host.issueTicket(peerIdFromPrivateKey(privateKey).toString());
    const count = tabConnectionsMax + 1;
    const allWelcome = Promise.withResolvers<void>();
    let welcome = 0;
    const open: Connection[] = [];
    const tab = () =>
      converse(addressOf(host), async ({ send, next, connection }) => {
        const nonce = new Uint8Array(32).fill(7);
        send({ t: "hello", nonce, boot: "0".repeat(16), role: "tab", ticket, speaks: ownSpeech });
        assert.equal((await next()).t, "challenge");
        send({ t: "proof", macs: [] });
        assert.equal((await next()).t, "welcome");
        open.push(connection);
        if (++welcome === count) allWelcome.resolve();
        await allWelcome.promise;
        send({ t: "done" });
        const left = () => open.filter(({ status }) => status === "open").length;
        await until(() => left() === tabConnectionsMax, { what: "one is turned away" });
        await until(() => host.refusals().get("too_many_connections") === 1, { what: "counted" });
        if (--welcome === 0) allOver.resolve();
        await allOver.promise;
      }, privateKey);
    const allOver = Promise.withResolvers<void>();
    await Promise.all(Array.from({ length: count }, tab));
  }));

Deno.test("a copied identity is refused while the first is alive, and both learn of it", () =>
  withHosts(async (make) => {
    const privateKey = await generateKeyPair("Ed25519");
    const [member, first, copy] = [
      await make({ secrets: ["s"] }),
      await make({ secrets: ["s"], privateKey, bootId: "1".repeat(16) }),
      await make({ secrets: ["s"], privateKey, bootId: "2".repeat(16) }),
    ];
    for (const { host } of [member, first, copy]) await host.start();
    assert.equal(await outcomeOf(first.host, member.host), "admitted");
    assert.equal(await outcomeOf(copy.host, member.host), "copied_identity");
    assert.ok(copy.events.some((event) => event.kind === "copied_identity"));
    copy.events.length = 0;
    assert.equal(await outcomeOf(copy.host, first.host), "unreachable");
    const told = () =>
      [first, copy].every(({ events }) => events.some(({ kind }) => kind === "copied_identity"));
    await until(told, { what: "both know" });
    await first.host.stop();
    assert.equal(await outcomeOf(copy.host, member.host), "admitted");
  }));

Deno.test("a node that dials itself is no copy", () =>
  withHosts(async (make) => {
    const { server, port } = await listenHttp();
    try {
      const { host, events } = await make({ upgrade: { server, allows: () => true } });
      await host.start();
      await assert.rejects(host.dial(`http://127.0.0.1:${port}`), { code: "unreachable" });
      await new Promise((resolve) => setTimeout(resolve, 1_200)); // longer than pairing takes
      assert.deepEqual(events, []);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }));
