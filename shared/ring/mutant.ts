// Deliberate breaks of the agreement rules, one name a rule. The simulator turns one on and must
// see its checkers fail: a checker that no mutant trips checks nothing. Each flag is read at the
// one line where its rule lives; production passes the empty set and nothing else sets them.

/** A rule that the test build may break, by the rule's section in ARCHITECTURE.md. */
export type Mutant =
  | "serve-older-epoch" // M1: an acceptor still serves requests of an older epoch
  | "handover-before-roster" // M1: a slot is read before the newer roster is persisted
  | "forget-adopted-roster" // R5: an adopted roster is not on disk after a restart
  | "arriving-answers" // A1
  | "previous-configuration-only" // H2
  | "one-yes-stops" // H2
  | "one-owner-read" // H2
  | "carry-three-to-one" // H1
  | "keep-own-rows" // H3
  | "former-drops-at-once" // H4
  | "former-drops-on-majority" // H4
  | "leaver-exits-early" // R8
  | "reply-before-disk" // section 2
  | "register-forgets-promises" // section 2
  | "council-forgets-promises" // section 2
  | "ignore-accepted-roster" // R2
  | "minority-council" // R2
  | "ballot-reused" // section 2: the boot counter is left out of ballots
  | "ballot-without-epoch" // P3
  | "fast-read-inherited" // P2
  | "read-without-write-back" // P3
  | "failed-without-accept" // P3
  | "retry-forgets-attempts" // P3
  | "stand-ins-counted" // A1
  | "wiped-keeps-identity" // section 2: read by the simulator, not by the machine
  | "tombstone-on-majority" // T2
  | "tombstone-without-floor" // T2
  | "tombstone-too-young"; // T2

/** The rules broken in this run: empty in production. */
export type Mutants = ReadonlySet<Mutant>;
