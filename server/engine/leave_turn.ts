// One node leaves at a time, so that each plans on the roster without the one before it. Who wants
// to leave asks every member it can reach, and begins when all said yes in one round.
//
// Of two who ask at once the lower id goes first: who said yes to another while asking starts its
// own round anew. So two members that reach each other are never both in turn: the yes that one
// of them gave last was given before its own round began, and its question then finds the other
// in turn or asking with the better id.

import type { NodeId } from "../../shared/base/ids.ts";
import type { Clock } from "./clock.ts";

export interface TurnPorts {
  readonly self: NodeId;
  /** Members and peers that can be asked now, this node left out. */
  readonly peers: () => readonly NodeId[];
  /** A peer's answer(); undefined when it gave none. */
  readonly ask: (peer: NodeId, signal: AbortSignal) => Promise<boolean | undefined>;
  readonly clock: Clock;
}

/** Who is in the way: those that leave themselves, and those that do not say. */
export interface InTheWay {
  readonly leaving: readonly NodeId[];
  readonly silent: readonly NodeId[];
}

const roundMs = 500;

/** This node's place in the line of those who leave. */
export class LeaveTurn {
  readonly #ports: TurnPorts;
  #state: "idle" | "asking" | "taken" = "idle";
  #yielded = false;

  constructor(ports: TurnPorts) {
    this.#ports = ports;
  }

  /** Whether `from` may begin as far as this node is concerned. @throws never */
  answer(from: NodeId): boolean {
    if (this.#state === "taken") return false;
    if (this.#state === "asking") {
      if (this.#ports.self < from) return false;
      this.#yielded = true;
    }
    return true;
  }

  /** Goes on with a leave that was in turn before a restart. @throws never */
  resume(): void {
    this.#state = "taken";
  }

  /**
   * Waits for the turn; `waiting` hears who is in the way. With `force` nobody is waited for who
   * does not answer, though it may be leaving at the same time. @throws the signal's reason
   */
  async take(
    signal: AbortSignal,
    { waiting, force = false }: {
      readonly waiting: (others: InTheWay) => void;
      readonly force?: boolean;
    },
  ): Promise<void> {
    const { peers, ask, clock } = this.#ports;
    for (;;) {
      this.#state = "asking";
      this.#yielded = false;
      const asked = peers();
      const answers = await Promise.all(asked.map((peer) => ask(peer, signal)));
      if (signal.aborted) {
        this.release();
        signal.throwIfAborted();
      }
      const leaving = asked.filter((_, index) => answers[index] === false);
      const silent = asked.filter((_, index) => answers[index] === undefined);
      if (leaving.length === 0 && (force || silent.length === 0) && !this.#yielded) {
        this.#state = "taken";
        return;
      }
      waiting({ leaving, silent });
      await clock.sleep(roundMs, signal);
    }
  }

  /** Gives the turn up. @throws never */
  release(): void {
    this.#state = "idle";
  }
}
