// The word that the collector of blocks acts on (server/engine/settlement.ts): once every member
// has been through its registers twice and each time found nothing that is not decided, no write
// from long enough before can be decided any more. Here a member looks at all its rows at once;
// what was in flight meanwhile is covered by the time between the two looks.

import type { Roster } from "../../shared/ring/roster.ts";
import type { Ballot } from "../../shared/record/value.ts";
import { versionsShown } from "./chain.ts";
import { simKeys } from "./clients.ts";
import { compareVersions, type KeyHistory, type Settlement } from "./history.ts";
import { simDeadlineMs } from "./sim_settings.ts";
import type { SimNode } from "./sim_node.ts";
import type { World } from "./world.ts";

const everyMs = 250;

/** Looks again and again until `until`. @returns where the promises are noted */
export function startSettlement(world: World, until: number): Settlement[] {
  const found: Settlement[] = [];
  const { delayMax, slowMax } = world.profile.network;
  /** The longest that an operation and what it sent last. */
  const lifeMs = simDeadlineMs + 2 * Math.max(delayMax, slowMax);
  /** When nothing waited for a disk anywhere: what was made before has left, if it ever does. */
  const flushedAt: number[] = [];
  const quietSince = new Map<string, number>();
  const look = () => {
    const { now } = world.queue;
    if (now >= until) return;
    world.queue.put(now + everyMs, look);
    const nodes = [...world.nodes.values()];
    if (nodes.every(({ outputs }) => outputs.length === 0)) flushedAt.push(now);
    const members = allMembers(world);
    for (const key of simKeys) {
      const since = quietSince.get(key);
      if (since !== undefined && now - since < lifeMs) continue;
      const last = lastDecided(world.history.get(key));
      if (members === undefined || !members.every((node) => isQuiet(world, { node, key, last }))) {
        quietSince.delete(key);
        continue;
      }
      quietSince.set(key, now);
      if (since === undefined) continue;
      const before = flushedAt.findLast((at) => at <= since - lifeMs);
      if (before === undefined) continue;
      world.counts.settled += 1;
      found.push({ key, before, last });
    }
  };
  look();
  return found;
}

/** All members of the one newest roster, when each is up, awake and has its registers. */
function allMembers(world: World): readonly SimNode[] | undefined {
  let newest: Roster | undefined;
  for (const { machine } of world.nodes.values()) {
    const roster = machine?.status().roster;
    if (roster !== undefined && roster.epoch > (newest?.epoch ?? 0)) newest = roster;
  }
  if (newest === undefined) return undefined;
  const members: SimNode[] = [];
  for (const { id } of newest.members) {
    const node = world.nodes.get(id);
    const status = node?.machine?.status();
    if (node === undefined || node.isPaused || status === undefined) return undefined;
    if (status.roster?.epoch !== newest.epoch || status.arriving > 0) return undefined;
    if (node.outputs.length > 0) return undefined;
    members.push(node);
  }
  return members;
}

function lastDecided(history: KeyHistory | undefined): Ballot | null {
  let last: Ballot | null = null;
  for (const version of history?.decided ?? []) {
    const ballot = history?.attempts.get(version)?.ballot;
    if (ballot !== undefined && (last === null || compareVersions(ballot, last) > 0)) last = ballot;
  }
  return last;
}

function isQuiet(
  { placement }: World,
  { node, key, last }: {
    readonly node: SimNode;
    readonly key: string;
    readonly last: Ballot | null;
  },
): boolean {
  const disk = node.disk.open();
  const version = disk.rows(disk.saved.lane).get(placement.slotOf(key), key)?.value?.version;
  if (version === undefined) return true;
  return last !== null && compareVersions(version, last) <= 0;
}

/** Promises that were broken later, in words. @throws never */
export function checkSettlements(
  key: string,
  history: KeyHistory,
  settlements: readonly Settlement[],
): string[] {
  const shown = [...versionsShown(history, () => undefined).values()];
  return settlements.filter((one) => one.key === key).flatMap(({ before, last }) =>
    shown.filter(({ at, ballot }) =>
      at < before && (last === null || compareVersions(ballot, last) > 0)
    ).map(({ version, at }) =>
      `${key}: ${version}, made at ${Math.round(at)}, was decided after all of before ` +
      `${Math.round(before)} was settled`
    )
  );
}
