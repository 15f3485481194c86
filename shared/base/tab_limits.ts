// Limits that a node holds browser tabs to, each with its reason. A tab needs no more than a ticket
// that any page of the node can get: whatever it does must cost the node a bounded amount, and
// what all of them do at once too.

import { assert } from "./assert.ts";
import { blockBytesMax, MiB } from "./limits.ts";

/** Tabs connected to one node: each may cost a few hundred KiB, a hostile one some MiB. */
export const tabsMax = 192;
/** Connections of one tab: the old one of a page that was loaded again, and the new one. */
export const tabConnectionsMax = 2;
/** A tab that lied or misbehaved is not let in again before this time, and so many are kept. */
export const tabPenaltyMs = 600_000;
export const tabPenaltiesMax = 10_000;
/** Offences that may be bad luck (a block dropped since it was named, a broken stream). */
export const tabOffencesMax = 4;
/** One such offence is forgiven after this time. */
export const tabForgiveMs = 60_000;
/** Blocks asked of one tab at once, and asks that wait for their turn at it. */
export const tabWantsMax = 16;
export const tabWantsWaitingMax = 256;
/** Tabs asked for one block, of those that said to hold it: the next may be no better. */
export const tabTriesMax = 3;
/** Tabs asked at once who holds some blocks; and the time that a tab has to say so. */
export const tabHavesMax = 32;
export const tabHaveMs = 2_000;
/** A block from a tab: browsers slow down what is in the background. */
export const tabWantMs = 10_000;
/** A tab that did not answer in time is left alone for this long. */
export const tabRestMs = 15_000;
/** Where tabs said that blocks are, remembered this long and for so many blocks. */
export const tabWordMs = 10_000;
export const tabWordsMax = 16_384;
/** Credit that a tab is given: all that is asked of it at once, of the usual size. */
export const tabCreditBytes = 4 * MiB;
/** Block reads for one tab at once, and bytes read for all tabs that are not handed on yet. */
export const tabReadsMax = 4;
export const tabReadBytesMax = 64 * MiB;
/** Of what waits to be sent to a tab something must leave in this time, or its stream ends. */
export const tabStallMs = 30_000;
/** Blocks that one tab may ask about a second (wants and haves), and at once after a rest. */
export const tabAsksPerSecond = 2_000;
export const tabAsksBurst = 4_096;
/** The same for all tabs of a node together: what they ask costs it a part of a core at most. */
export const tabsAsksPerSecond = 20_000;
export const tabsAsksBurst = 40_000;
/** Streams that one peer may open a minute: honest ones open a few, and keep them. */
export const peerStreamsPerMinuteMax = 600;
/** Relays at once for one member, and seeks: they cost a question to every tab. */
export const relaysPerPeerMax = 4;
export const seeksPerPeerMax = 2;
/** Held blocks looked at to find the rarest, how many are kept, and for how long. */
export const rareScanBlocksMax = 8_192;
export const rareBlocksKept = 2_048;
export const rareStaleMs = 10_000;

assert(tabCreditBytes * 3 / 4 >= blockBytesMax, "credit not yet given back must not block one");
