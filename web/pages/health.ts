// Whether the pool is well, in one sentence with its reason: the first thing anybody reads. The
// worst is said first; what is not known is not claimed.

import { countTabs } from "../../shared/ring/tab_count.ts";
import type { NodeSnapshot } from "../../shared/status.ts";
import type { Sign, Tone } from "../charts/glyph.ts";
import { signOf } from "../charts/glyph.ts";
import { answers, isPaused } from "./node_sign.ts";
import type { PoolView } from "./pool_view.ts";
import { counted, listed, sinceText, whole } from "./words.ts";

export interface Health {
  readonly tone: Tone;
  readonly sign: Sign;
  /** One or two words. */
  readonly word: string;
  readonly sentence: string;
  readonly because: string;
}

/** How the pool is, as this node sees it. @throws never */
export function healthOf(view: PoolView): Health {
  return starting(view) ?? readOnly(view) ?? uncovered(view) ?? silent(view) ?? repairing(view) ??
    well(view);
}

function starting({ status, now, settled }: PoolView): Health | undefined {
  const { phase, because, since } = status.phase;
  const words: Partial<Record<typeof phase, string>> = {
    "looking for peers": "is looking for the other nodes",
    "joining": "is joining the pool",
    "fetching metadata": "is fetching the list of files",
    "leaving": "is leaving the pool",
  };
  const doing = words[phase];
  if (doing === undefined) return settled ? undefined : justStarted(status.name);
  return {
    tone: phase === "leaving" ? "off" : "wanted",
    sign: signOf("alive", phase),
    word: phase === "leaving" ? "Leaving" : "Starting",
    sentence: `${status.name} ${doing}.`,
    because: `For ${sinceText(now - since)} now: ${because}.`,
  };
}

/** Before it has heard from the others, what it believes of them is not worth saying. */
function justStarted(name: string): Health {
  return {
    tone: "wanted",
    sign: "looking",
    word: "Starting",
    sentence: `${name} has only just started.`,
    because:
      "It listens for the other nodes. Which of them answer, and how many copies there are, " +
      "is known in some seconds.",
  };
}

function readOnly({ status }: PoolView): Health | undefined {
  if (status.phase.phase !== "read-only") return undefined;
  return {
    tone: "risk",
    sign: "readonly",
    word: "Read-only",
    sentence: `Read-only: ${status.phase.because}.`,
    because: "Files can be read here. Nothing is written, repaired or removed until a majority " +
      "of the council answers.",
  };
}

function uncovered(view: PoolView): Health | undefined {
  const { ring } = view;
  const slots = ring?.tally.get(0) ?? 0;
  if (ring === null || slots === 0) return undefined;
  return {
    tone: "risk",
    sign: "dead",
    word: "At risk",
    sentence: `None of the owners of ${whole(slots)} of ${whole(ring.slotCount)} slots answers.`,
    because: `${silentWords(view)} Files with blocks there can be read only from stand-ins.`,
  };
}

function silent(view: PoolView): Health | undefined {
  const { nodes } = view;
  const away = nodes.filter((node) => !answers(node, view));
  if (away.length === 0) return undefined;
  const paused = away.filter((node) => isPaused(node, view));
  const dead = away.filter((node) => node.state === "dead" && !isPaused(node, view));
  const suspect = away.filter((node) => node.state === "suspect" && !isPaused(node, view));
  const names = away.length < 3
    ? listed(away.map(({ name }) => name))
    : counted(away.length, "node");
  return {
    tone: "wanted",
    sign: dead.length > 0
      ? "dead"
      : suspect.length > 0
      ? "suspect"
      : paused.length > 0
      ? "paused"
      : "stopped",
    word: paused.length === away.length ? `Paused: ${names}` : `Waiting for ${names}`,
    sentence: `${whole(nodes.length - away.length)} of ${counted(nodes.length, "node")} ` +
      `answer. Every slot has an owner that does.`,
    because: `${silentWords(view)} ${
      paused.length === away.length
        ? "It goes on when it is resumed. Paused longer than its grace a node is expelled, and its " +
          "copies are made again on the others."
        : dead.length + suspect.length > 0
        ? "A node that stays silent is expelled after its grace, and its copies are made again " +
          "on the others."
        : "Its place and its copies wait for it until it is back, or until you expel it."
    }`,
  };
}

function silentWords(view: PoolView): string {
  const { nodes, now } = view;
  const away = nodes.filter((node) => !answers(node, view));
  const said = away.slice(0, 3).map((node) => {
    const { name, lastSeenAt, state } = node;
    if (isPaused(node, view)) return `${name} is paused`;
    if (state === "left") return `${name} was stopped`;
    return lastSeenAt > 0
      ? `${name} has not answered for ${sinceText(now - lastSeenAt)}`
      : `${name} has not answered yet`;
  });
  const rest = away.length > 3 ? ` ${counted(away.length - 3, "more node")} likewise.` : "";
  return `${listed(said)}.${rest}`;
}

function repairing({ nodes, traffic }: PoolView): Health | undefined {
  const wanted = wantedOf(nodes);
  const picking = nodes.filter(({ phase }) => phase.phase === "picking blocks");
  const busy = nodes.filter(({ blocks }) => blocks.wanted > 0);
  if (wanted === 0) {
    if (picking.length === 0) return undefined;
    return {
      tone: "wanted",
      sign: "picking",
      word: "Taking stock",
      sentence: `${listed(picking.map(({ name }) => name))} computes what to hold.`,
      because: "The roster changed; nothing is known to be missing so far.",
    };
  }
  const more = busy.length > 3 ? [counted(busy.length - 3, "more node")] : [];
  const left = traffic.copiesPerSecond > 0
    ? ` At ${whole(Math.max(1, traffic.copiesPerSecond))} a second it takes about ` +
      `${sinceText(wanted / traffic.copiesPerSecond * 1_000)}.`
    : "";
  return {
    tone: "wanted",
    sign: "fetching",
    word: "Repairing",
    sentence: `${counted(wanted, "copy")} ` +
      `${wanted === 1 ? "is" : "are"} still to be made.`,
    because: `${listed([...busy.slice(0, 3).map(({ name }) => name), ...more])} ` +
      `${busy.length === 1 ? "fetches" : "fetch"} what the roster gives ${
        busy.length === 1 ? "it" : "them"
      }.${left}`,
  };
}

function well({ nodes, status }: PoolView): Health {
  const held = nodes.reduce((sum, { blocks }) => sum + blocks.held, 0);
  const base = { tone: "held", sign: "seeding", word: "All well" } as const;
  const copies = counted(held, "copy");
  if (nodes.length <= 1) {
    return {
      ...base,
      sentence: `${status.name} works alone: one copy of each file.`,
      because: "If its disk fails, files are lost. Start a second and a third node, and each " +
        "file gets three copies.",
    };
  }
  const full = nodes.filter(({ phase }) => phase.phase === "full").map(({ name }) => name);
  const fullWords = full.length === 0
    ? ""
    : ` ${listed(full)} ${full.length === 1 ? "is" : "are"} full; new copies go elsewhere.`;
  const fewer = nodes.length === 2
    ? "Two of three copies, because there are two nodes: either may fail without loss."
    : "Any one of them may be switched off without losing a file.";
  return {
    ...base,
    sentence: `All ${nodes.length} nodes answer and hold all they should.`,
    because: `${copies} of blocks are in place and nothing is moving. ${fewer}${fullWords}`,
  };
}

/** Copies that nodes own and do not hold yet. @throws never */
export function wantedOf(nodes: readonly NodeSnapshot[]): number {
  return nodes.reduce((sum, node) => sum + (node.state === "alive" ? node.blocks.wanted : 0), 0);
}

/** Tabs that seed at any node that answers, each counted once; about, when they are many. */
export function tabsOf(nodes: readonly NodeSnapshot[]): number {
  return countTabs(
    nodes.filter(({ state }) => state === "alive").flatMap(({ tabs }) => tabs ?? []),
  );
}
