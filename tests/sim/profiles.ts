// The fault profiles of the simulator: each presses on other rules. Rates are mean virtual
// milliseconds between two faults of a kind; zero switches the kind off. Sizes follow the model
// that the rules were written against: nodes 1 to 10, three slots, five keys, up to six clients.

import type { NetworkFaults } from "./sim_network.ts";

/** What may go wrong, and how often, in a run. */
export interface Profile {
  readonly name: string;
  /** Virtual milliseconds with faults; then the world is calm until it is settled. */
  readonly lengthMs: number;
  readonly nodesMin: number;
  readonly nodesMax: number;
  readonly network: NetworkFaults;
  readonly clients: number;
  /** Mean milliseconds that a client waits between operations. */
  readonly thinkMs: number;
  /** Chances of an operation to be a get, a conditional put, a delete; the rest are puts. */
  readonly gets: number;
  readonly conditional: number;
  readonly deletes: number;
  /** Mean milliseconds between crashes of a node (with its disk); it is down up to `downMs`. */
  readonly crashEveryMs: number;
  readonly downMs: number;
  readonly splitEveryMs: number;
  readonly splitMs: number;
  readonly pauseEveryMs: number;
  readonly pauseMs: number;
  /** A node's disk is lost and it starts again as a new node. */
  readonly wipeEveryMs: number;
  readonly joinEveryMs: number;
  readonly leaveEveryMs: number;
  /** Expulsions of members that are alive, by a member that only believes them dead. */
  readonly expelEveryMs: number;
  /** Several members ask for different changes at the same moment. */
  readonly rivalEveryMs: number;
  /** Chance that a member believes another one dead who is not, at each look. */
  readonly mistakes: number;
  /** Milliseconds an un-synced write waits for the disk, at most. */
  readonly syncMs: number;
  /** Age at which tombstones may be dropped. */
  readonly tombstoneMs: number;
}

const mild: NetworkFaults = {
  loss: 0.01,
  doubling: 0.02,
  delayMin: 1,
  delayMax: 20,
  slow: 0.01,
  slowMax: 400,
};

const base: Profile = {
  name: "calm",
  lengthMs: 12_000,
  nodesMin: 1,
  nodesMax: 7,
  network: mild,
  clients: 4,
  thinkMs: 150,
  gets: 0.35,
  conditional: 0.3,
  deletes: 0.1,
  crashEveryMs: 0,
  downMs: 2_500,
  splitEveryMs: 0,
  splitMs: 3_000,
  pauseEveryMs: 0,
  pauseMs: 4_500,
  wipeEveryMs: 0,
  joinEveryMs: 5_000,
  leaveEveryMs: 9_000,
  expelEveryMs: 0,
  rivalEveryMs: 0,
  mistakes: 0.02,
  syncMs: 3,
  tombstoneMs: 6_000,
};

/**
 * The profiles, by name. The first is nearly calm; `returns` brings members back with old rows
 * on their disks; `exodus` lets members go before they have arrived; the last has everything
 * but wipes.
 */
export const profiles: readonly Profile[] = [
  base,
  {
    ...base,
    name: "lossy",
    network: { ...mild, loss: 0.1, doubling: 0.1, slow: 0.05 },
    expelEveryMs: 6_000,
  },
  {
    ...base,
    name: "doubled",
    network: { ...mild, doubling: 0.6, slow: 0.3, slowMax: 1_500 },
    joinEveryMs: 4_000,
  },
  {
    ...base,
    name: "late",
    network: { ...mild, loss: 0.02, doubling: 0.3, slow: 0.1, slowMax: 6_000 },
    joinEveryMs: 3_000,
    leaveEveryMs: 4_000,
    expelEveryMs: 4_000,
  },
  {
    ...base,
    name: "splits",
    nodesMin: 3,
    splitEveryMs: 2_500,
    splitMs: 3_500,
    expelEveryMs: 4_000,
  },
  {
    ...base,
    name: "crashes",
    nodesMax: 5,
    crashEveryMs: 400,
    downMs: 1_500,
    syncMs: 40,
    expelEveryMs: 8_000,
  },
  {
    ...base,
    name: "pauses",
    nodesMin: 2,
    pauseEveryMs: 1_200,
    expelEveryMs: 4_000,
  },
  {
    ...base,
    name: "churn",
    nodesMin: 3,
    nodesMax: 10,
    joinEveryMs: 900,
    leaveEveryMs: 1_200,
    expelEveryMs: 1_000,
    crashEveryMs: 3_000,
  },
  {
    ...base,
    name: "rivals",
    nodesMin: 3,
    nodesMax: 6,
    network: { ...mild, loss: 0.08, doubling: 0.2, delayMax: 150, slow: 0.1, slowMax: 1_500 },
    rivalEveryMs: 900,
    mistakes: 0.25,
    splitEveryMs: 4_000,
    splitMs: 1_500,
    crashEveryMs: 2_500,
  },
  {
    ...base,
    name: "wipes",
    nodesMin: 4,
    nodesMax: 8,
    wipeEveryMs: 6_000,
    crashEveryMs: 2_500,
    expelEveryMs: 5_000,
  },
  {
    ...base,
    name: "tombs",
    nodesMin: 2,
    clients: 6,
    gets: 0.2,
    conditional: 0.25,
    deletes: 0.4,
    network: { ...mild, loss: 0.03, doubling: 0.3, slow: 0.15, slowMax: 6_000 },
    crashEveryMs: 4_000,
    tombstoneMs: 6_200,
  },
  {
    ...base,
    name: "returns",
    lengthMs: 16_000,
    nodesMin: 4,
    nodesMax: 5,
    clients: 6,
    gets: 0.2,
    deletes: 0.45,
    conditional: 0.15,
    network: { ...mild, loss: 0.06, doubling: 0.1, slow: 0.1, slowMax: 1_000 },
    expelEveryMs: 1_500,
    crashEveryMs: 4_000,
    downMs: 7_000,
    leaveEveryMs: 0,
    splitEveryMs: 4_000,
    splitMs: 1_500,
    tombstoneMs: 6_200,
  },
  {
    ...base,
    name: "exodus",
    nodesMin: 2,
    nodesMax: 8,
    network: { ...mild, loss: 0.1, delayMax: 200, slow: 0.1, slowMax: 2_000 },
    joinEveryMs: 450,
    leaveEveryMs: 350,
  },
  {
    ...base,
    name: "storm",
    nodesMin: 3,
    nodesMax: 9,
    clients: 6,
    network: { ...mild, loss: 0.06, doubling: 0.2, slow: 0.1, slowMax: 3_000 },
    crashEveryMs: 1_200,
    splitEveryMs: 3_500,
    pauseEveryMs: 2_500,
    joinEveryMs: 1_800,
    leaveEveryMs: 2_500,
    expelEveryMs: 2_000,
    rivalEveryMs: 3_000,
    mistakes: 0.06,
    syncMs: 15,
    tombstoneMs: 6_200,
  },
];

/** The profile named so, or undefined. @throws never */
export function profileNamed(name: string): Profile | undefined {
  return profiles.find((profile) => profile.name === name);
}
