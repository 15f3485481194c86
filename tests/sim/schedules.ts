// Hand-made schedules for broken rules that random runs seldom reach. Each is a story in a few
// lines; played by the rules as written it must stay safe, played with its mutant it must not.

import type { Mutant } from "../../shared/ring/mutant.ts";
import type { Stage } from "./stage.ts";
import type { Letter } from "./world.ts";

/** A story that kills one mutant. */
export interface Schedule {
  readonly mutant: Mutant;
  readonly nodes: number;
  readonly play: (stage: Stage) => void;
}

/** Letters of these kinds, from and to these nodes (all when not named). */
function letters(
  stage: Stage,
  kinds: readonly Letter["body"]["kind"][],
  { from, to }: { readonly from?: readonly number[]; readonly to?: readonly number[] },
): (letter: Letter) => boolean {
  const senders = from?.map(stage.id);
  const receivers = to?.map(stage.id);
  return (letter) =>
    kinds.includes(letter.body.kind) && (senders === undefined || senders.includes(letter.from)) &&
    (receivers === undefined || receivers.includes(letter.to));
}

/** Node 2 misses the new roster and writes with node 1's vote, which has gone on. */
function servesOlderEpoch(stage: Stage): void {
  const [carried, late, third, fresh] = [1, 2, 3, 4];
  stage.drop(letters(stage, ["rosters"], { to: [late] }));
  stage.decidersNext([carried, third, fresh]);
  const before = stage.epoch(late);
  stage.newRoster(fresh);
  const others = [carried, third, fresh];
  stage.until(() => others.every((node) => stage.epoch(node) > before), "new roster");
  stage.until(() => stage.node(fresh).machine?.status().arriving === 0, "arrival");
  stage.drop(letters(stage, ["prepare", "accept"], { from: [fresh], to: [carried] }));
  stage.answered(fresh);
  stage.drop(letters(stage, ["prepare", "accept"], { from: [late], to: [third] }));
  stage.answered(late);
  stage.answered(fresh, { kind: "get" });
}

/** The old deciders answer the new ones' reading, and still accept a write under the old roster. */
function handoverBeforeRoster(stage: Stage): void {
  const [old, fresh] = [[2, 3, 4], [5, 6, 7]];
  stage.decidersNext(old);
  stage.newRoster(1);
  stage.pass(3_000);
  stage.drop(letters(stage, ["rosters"], { to: old }));
  stage.decidersNext(fresh);
  const before = stage.epoch(2);
  stage.newRoster(1);
  stage.until(() => fresh.every((node) => stage.epoch(node) > before), "new roster");
  stage.pass(3_000);
  stage.answered(2);
  stage.answered(5, { kind: "get" });
}

/** A proposer starts again and uses the ballot of its earlier life for another value. */
function reusesBallot(stage: Stage): void {
  const [p, a, b, c] = [4, 1, 2, 3];
  const noPrepareToC = stage.drop(letters(stage, ["prepare", "accept"], { from: [p], to: [c] }));
  const lateAccept = stage.hold(letters(stage, ["accept"], { from: [p], to: [b] }));
  let promise: (() => void) | undefined;
  const copy = stage.drop((letter) => {
    if (letter.body.kind === "promise" && letter.from === stage.id(b)) promise ??= letter.deliver;
    return false;
  });
  const first = stage.ask(p);
  stage.pass(100);
  noPrepareToC();
  copy();
  stage.drop(letters(stage, ["prepare", "accept"], { from: [p], to: [a] }));
  const noPrepareToB = stage.drop(letters(stage, ["prepare"], { from: [p], to: [b] }));
  stage.restart(p);
  const second = stage.ask(p, { condition: { kind: "none" } });
  stage.pass(20);
  promise?.();
  stage.pass(300);
  noPrepareToB();
  lateAccept();
  stage.until(() => second.outcome !== "pending", "second write");
  stage.drop(letters(stage, ["get", "prepare", "accept"], { from: [1], to: [c] }));
  stage.answered(1, { kind: "get" });
  void first;
}

/** A rival of a high round, left at one decider by the old configuration, must stay beaten. */
function ballotWithoutEpoch(stage: Stage): void {
  const [a, b, c, d, p] = [1, 2, 3, 4, 5];
  // Two attempts: the first reaches nobody, the second is promised by a and c, accepted by a.
  const deaf = stage.drop(letters(stage, ["prepare"], { from: [p] }));
  stage.ask(p);
  stage.pass(300);
  deaf();
  stage.drop(letters(stage, ["prepare", "accept"], { from: [p], to: [b] }));
  stage.drop(letters(stage, ["accept"], { from: [p], to: [c] }));
  stage.pass(600);
  stage.drop(letters(stage, ["prepare", "accept", "get"], { from: [p] }));
  const unread = stage.drop(letters(stage, ["slot-read"], { to: [a] }));
  stage.decidersNext([a, b, d]);
  const before = stage.epoch(b);
  stage.newRoster(c);
  stage.until(() => [a, b, c, d].every((node) => stage.epoch(node) > before), "new roster");
  stage.until(() => stage.node(d).machine?.status().arriving === 0, "arrival");
  unread();
  const apart = stage.drop(letters(stage, ["prepare", "accept"], { from: [c], to: [a] }));
  stage.answered(c);
  apart();
  stage.drop(letters(stage, ["get", "prepare", "accept"], { from: [c], to: [d] }));
  stage.answered(c, { kind: "get" });
}

/** Two rivals that nobody chose are inherited; a majority shows the lesser one. */
function fastReadInherited(stage: Stage): void {
  const [a, b, c, d, f, p, q] = [1, 2, 3, 4, 5, 6, 7];
  stage.drop(letters(stage, ["prepare", "accept"], { from: [p], to: [c] }));
  stage.drop(letters(stage, ["accept"], { from: [p], to: [b] }));
  stage.ask(p);
  stage.pass(100);
  stage.drop(letters(stage, ["prepare", "accept"], { from: [p] }));
  stage.drop(letters(stage, ["prepare", "accept"], { from: [q], to: [a] }));
  stage.drop(letters(stage, ["accept"], { from: [q], to: [b] }));
  stage.ask(q);
  stage.pass(100);
  stage.drop(letters(stage, ["prepare", "accept"], { from: [q] }));
  stage.drop(letters(stage, ["slot-read"], { from: [d], to: [c] }));
  stage.drop(letters(stage, ["slot-read"], { from: [f], to: [a] }));
  stage.decidersNext([a, d, f]);
  const before = stage.epoch(a);
  stage.newRoster(b);
  stage.until(() => [a, b, c, d, f].every((node) => stage.epoch(node) > before), "new roster");
  stage.until(
    () => [d, f].every((node) => stage.node(node).machine?.status().arriving === 0),
    "arrivals",
  );
  const apart = stage.drop(letters(stage, ["get", "prepare", "accept"], { from: [b], to: [f] }));
  stage.answered(b, { kind: "get" });
  apart();
  stage.drop(letters(stage, ["get", "prepare", "accept"], { from: [c], to: [a] }));
  stage.answered(c, { kind: "get" });
}

/** The schedules, one a mutant. */
export const schedules: readonly Schedule[] = [
  { mutant: "serve-older-epoch", nodes: 5, play: servesOlderEpoch },
  { mutant: "handover-before-roster", nodes: 7, play: handoverBeforeRoster },
  { mutant: "ballot-reused", nodes: 5, play: reusesBallot },
  { mutant: "ballot-without-epoch", nodes: 6, play: ballotWithoutEpoch },
  { mutant: "fast-read-inherited", nodes: 7, play: fastReadInherited },
];
