// Gossip: digests to whoever is subscribed, by gossipsub. A hint, never the truth: the first
// messages of a node are lost until its mesh has formed, and state converges by pull. Topics are
// the group's own, and only members take part.

import { gossipMessageBytesMax } from "../../shared/base/limits.ts";
import { asNodeId, type NodeId } from "../../shared/base/ids.ts";
import { SkyringError } from "../../shared/base/errors.ts";
import type { SkyringLibp2p } from "./libp2p_node.ts";

export interface Gossip {
  /**
   * Sends a digest to the topic's subscribers; resolves once handed over.
   * @throws {SkyringError} too_large
   */
  publish(topic: string, message: Uint8Array): Promise<void>;
  /** Hears a topic; `from` is the member who signed the message. */
  subscribe(topic: string, listener: (message: Uint8Array, from: NodeId) => void): void;
}

/** Gossip of one group. Subscriptions made before attach() are kept for it. */
export function createGossip(
  group: string,
): Gossip & { /** Takes up a started node. */ attach(node: SkyringLibp2p): void } {
  const listeners = new Map<string, ((message: Uint8Array, from: NodeId) => void)[]>();
  const fullName = (topic: string) => `/skyring/${group}/${topic}`;
  let pubsub: SkyringLibp2p["services"]["gossip"] | undefined;

  return {
    attach(node) {
      pubsub = node.services.gossip;
      for (const name of listeners.keys()) pubsub.subscribe(name);
      pubsub.addEventListener("gossipsub:message", ({ detail: { msg } }) => {
        if (msg.type !== "signed" || msg.data.length > gossipMessageBytesMax) return;
        const from = asNodeId(msg.from.toString());
        for (const listener of listeners.get(msg.topic) ?? []) listener(msg.data, from);
      });
    },
    async publish(topic, message) {
      if (message.length > gossipMessageBytesMax) {
        throw new SkyringError(
          "too_large",
          `Cannot publish ${message.length} bytes: limit ${gossipMessageBytesMax}`,
          { data: { bytes: message.length, max: gossipMessageBytesMax } },
        );
      }
      await pubsub?.publish(fullName(topic), message);
    },
    subscribe(topic, listener) {
      const name = fullName(topic);
      const known = listeners.get(name);
      listeners.set(name, [...(known ?? []), listener]);
      if (known === undefined) pubsub?.subscribe(name);
    },
  };
}
