// An order to a node, before it is given: what will move, what is at risk meanwhile, the pool now
// and after; then the button that names the deed. Refusals say what is missing and what to do.

import type { Child } from "hono/jsx";
import { ring } from "../charts/ring.ts";
import type { RingArc } from "../charts/ring_layout.ts";
import { formatSize } from "../../shared/base/units.ts";
import type { MovePlan } from "../../shared/job.ts";
import type { NodeSnapshot } from "../../shared/status.ts";
import { Frame, type FrameView } from "./frame.tsx";
import { Command, Notice, Picture } from "./picture.tsx";
import type { RingView } from "./pool_view.ts";
import { cliCommand, counted, percent, whole } from "./words.ts";

export type OrderKind = "leave" | "stop" | "resize" | "forget";

export interface OrderView {
  readonly kind: OrderKind;
  readonly node: NodeSnapshot;
  readonly ring: RingView | null;
  readonly replicas: number;
  /** Shares of the pool's slots afterwards; null where nobody's change. */
  readonly after: SharesAfter | null;
  /** What would move; null while a size is still to be given, and for forgetting. */
  readonly plan: MovePlan | null;
  /** What forgetting may lose. */
  readonly mayBeLost: {
    readonly blocksLost: number;
    readonly filesLost: number;
    readonly files: readonly string[];
  } | null;
  /** The size as it was written, for a resize. */
  readonly size: string;
  readonly refusal: string | null;
}

/** How the slots are shared out after an order, 0 to 1 by id. */
export interface SharesAfter {
  /** Of slots owned first, as the ring draws them. */
  readonly first: ReadonlyMap<string, number>;
  /** Of all owned slots, copies counted. */
  readonly all: ReadonlyMap<string, number>;
}

/** What an order is called, does, and says on its button. */
export interface OrderWords {
  readonly title: string;
  readonly says: string;
  readonly deed: string;
}

interface OrderFrameProps {
  readonly frame: FrameView;
  readonly words: OrderWords;
  /** What it is about, after "Nodes /". */
  readonly about: string;
  readonly refusal: string | null;
  /** What to do about a refusal. */
  readonly advice?: string;
  readonly children?: Child;
}

/** The page of any order, before it is given: where it belongs, what it does, why it is refused. */
export function OrderFrame(
  { frame, words, about, refusal, advice, children }: OrderFrameProps,
) {
  return (
    <Frame view={frame} title={words.title} page="nodes">
      <main id="main" class="main on-page order">
        <p class="crumbs">
          <a href="/ui/nodes">Nodes</a> / {about} /
        </p>
        <div class="head">
          <div>
            <h1>{words.title}</h1>
            <p>{words.says}</p>
          </div>
        </div>
        {refusal !== null && (
          <Notice sign="dead" tone="risk">
            <p>
              <b>{refusal}</b> {advice}
            </p>
          </Notice>
        )}
        {children}
      </main>
    </Frame>
  );
}

/** The whole page. */
export function OrderPage(
  { view, frame }: { readonly view: OrderView; readonly frame: FrameView },
) {
  const { kind, node, refusal } = view;
  const words = wordsOf(kind, node.name);
  return (
    <OrderFrame
      {...{ frame, words, refusal }}
      about={node.name}
      advice={kind === "leave" || kind === "resize" ? "Add a node, or make one bigger." : ""}
    >
      {kind === "resize" && <SizeForm view={view} />}
      {view.plan !== null && <Plan view={view} plan={view.plan} />}
      {view.mayBeLost !== null && <Losses lost={view.mayBeLost} />}
      {(kind !== "resize" || view.plan !== null) && <Deed view={view} words={words} />}
    </OrderFrame>
  );
}

function wordsOf(kind: OrderKind, name: string): OrderWords {
  switch (kind) {
    case "leave":
      return {
        title: `Send ${name} away?`,
        says: `${name} hands every copy to the nodes that own it next, then exits for good. ` +
          "Nothing is lost and every file stays readable meanwhile.",
        deed: "Hand off and leave",
      };
    case "stop":
      return {
        title: `Stop ${name}?`,
        says:
          `${name} exits at once and stays in the roster: its place and its copies wait for it. ` +
          "If it will not come back, expel it, and they are made again on the others.",
        deed: "Stop it",
      };
    case "resize":
      return {
        title: `Resize ${name}?`,
        says: "More room draws slots to it, less hands some to the others.",
        deed: "Resize",
      };
    case "forget":
      return {
        title: `Expel ${name}?`,
        says: `${name} leaves the roster now, without waiting for its grace; its copies are made ` +
          "again from the others.",
        deed: "Expel it",
      };
    default:
      return kind satisfies never;
  }
}

function SizeForm({ view }: { readonly view: OrderView }) {
  const { node, size } = view;
  return (
    <form action="/ui/node" class="tools">
      <input type="hidden" name="node" value={node.id} />
      <input type="hidden" name="order" value="resize" />
      <label class="field-line">
        <span>Room for blocks, now {formatSize(node.capacity)}</span>
        <input class="input size" name="size" value={size} placeholder="20GiB" required />
      </label>
      <button type="submit" class="btn">Show what moves</button>
    </form>
  );
}

/** What would move, what is at risk, and the pool before and after. */
export function Plan(
  { view, plan }: {
    readonly view: Pick<OrderView, "kind" | "node" | "ring" | "replicas" | "after">;
    readonly plan: MovePlan;
  },
) {
  const { kind, node, ring: shape } = view;
  const due = Math.min(view.replicas, Math.max(1, plan.remaining));
  // A stop itself moves nothing; what it would take is told, for the case that it stays away.
  const stops = kind === "stop";
  const moved = stops ? plan.heldBytes : plan.bytes;
  const needed = stops ? plan.heldBytes : plan.neededBytes;
  return (
    <>
      {shape !== null && kind !== "stop" && <BeforeAfter view={view} shape={shape} />}
      <dl class="kv plan">
        <dt>Holds now</dt>
        <dd>
          {counted(plan.held, "block")}, {formatSize(plan.heldBytes)}
        </dd>
        <dt>{kind === "stop" ? "To be made again, if it stays away" : "What moves"}</dt>
        <dd>
          {stops ? counted(plan.below, "copy") : counted(plan.blocks, "block")}, {formatSize(moved)}
        </dd>
        <dt>Room on the others</dt>
        <dd class={needed > plan.freeBytes ? "is-risk tone" : ""}>
          {formatSize(plan.freeBytes)} free, {formatSize(needed)} needed
        </dd>
        <dt>At risk meanwhile</dt>
        <dd
          class={plan.lost > 0 || (plan.below > 0 && !stops)
            ? "is-risk tone"
            : plan.below > 0
            ? "is-wanted tone"
            : ""}
        >
          {plan.lost > 0
            ? `${counted(plan.lost, "block")} would have no copy that anyone can read`
            : plan.below > 0
            ? `${counted(plan.below, "block")} would have fewer copies than they should${
              stops ? " until it is back or they are made again" : ""
            }`
            : kind === "leave"
            ? "nothing: each block keeps its copies until the new one is verified"
            : "nothing"}
        </dd>
        <dt>After it</dt>
        <dd>
          {counted(plan.remaining, "node")}
          {kind === "resize"
            ? `; ${node.name} would own ${formatSize(plan.keptBytes)}`
            : `, ${due} of ${view.replicas} copies`}
        </dd>
      </dl>
    </>
  );
}

function BeforeAfter(
  { view, shape }: {
    readonly view: Pick<OrderView, "kind" | "node" | "after">;
    readonly shape: RingView;
  },
) {
  const { node, kind, after: shares } = view;
  const after = shape.arcs.filter(({ id }) => kind === "resize" || id !== node.id)
    .map((arc) => ({ ...arc, share: shares?.first.get(arc.id) ?? arc.share }));
  const share = shares?.all.get(node.id);
  const now = shape.arcs.map((arc): RingArc =>
    arc.id === node.id && kind === "leave" ? { ...arc, sign: "leaving" } : arc
  );
  const draw = (arcs: readonly RingArc[], title: string) =>
    ring(arcs, { replicas: shape.replicas, title, mini: true });
  return (
    <div class="then">
      <figure>
        <Picture svg={draw(now, `Now: ${counted(now.length, "node")}`)} />
        <figcaption>
          <b>Now</b>
          {counted(now.length, "node")}, {node.name} owns {percent(node.share)}
        </figcaption>
      </figure>
      <svg viewBox="0 0 32 12" aria-hidden="true">
        <path d="M0 6h30M25 1.5L30 6L25 10.5" />
      </svg>
      <figure>
        {after.length === 0
          ? <p>no node</p>
          : <Picture svg={draw(after, `After: ${counted(after.length, "node")}`)} />}
        <figcaption>
          <b>After</b>
          {counted(after.length, "node")}
          {share !== undefined && `, ${node.name} owns ${percent(share)}`}
        </figcaption>
      </figure>
    </div>
  );
}

function Losses({ lost }: { readonly lost: NonNullable<OrderView["mayBeLost"]> }) {
  if (lost.blocksLost === 0) {
    return (
      <Notice sign="seeding" tone="held">
        <p>
          <b>Nothing is lost:</b> every block has a copy on a node that answers.
        </p>
      </Notice>
    );
  }
  return (
    <Notice sign="dead" tone="risk">
      <p>
        <b>
          {whole(lost.blocksLost)} blocks of {counted(lost.filesLost, "file")}{" "}
          have no copy elsewhere.
        </b>{" "}
        {lost.files.slice(0, 5).join(", ")}
        {lost.files.length > 5 ? " and more" : ""}
      </p>
    </Notice>
  );
}

function Deed({ view, words }: { readonly view: OrderView; readonly words: OrderWords }) {
  const { kind, node, plan, size } = view;
  const risky = (plan !== null && (plan.below > 0 || plan.neededBytes > plan.freeBytes)) ||
    (view.mayBeLost?.blocksLost ?? 0) > 0;
  const args = kind === "resize" ? [node.name, size] : [node.name];
  return (
    <form method="post" action={`/ui/node/${kind}`} class="deed">
      <input type="hidden" name="node" value={node.id} />
      <input type="hidden" name="size" value={size} />
      {risky && kind !== "stop" && (
        <label class="check">
          <input type="checkbox" name="force" value="1" />
          <span>Go on all the same: I know what is at risk</span>
        </label>
      )}
      <div class="sheet-foot">
        <Command text={cliCommand(kind, args)} />
        <a class="btn" href="/ui/nodes">Keep {node.name} as it is</a>
        <button type="submit" class={`btn ${kind === "resize" ? "btn-main" : "btn-risk"}`}>
          {words.deed}
        </button>
      </div>
    </form>
  );
}
