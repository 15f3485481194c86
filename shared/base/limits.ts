// Every limit of Skyring in one place, each with its reason. A new queue, cache, frame, name or
// body gets its line here first. Relations between limits are asserted at the end.

import { assert } from "./assert.ts";

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/** Equal arcs of the ring: fine enough that 50 nodes stay within 11 % of the mean share. */
export const slotCount = 16_384;

/** Tokens a node gets for `tokenCapacityUnitBytes` of capacity: a constant of every roster. */
export const tokensPerUnit = 512;
export const tokenCapacityUnitBytes = 10 * GiB;
/** Copies a node may own beyond its fair share, before placement passes it over (spread.ts). */
export const placementSlack = 0.1;
/** A tiny node still gets slots; a huge one does not swamp the token table. */
export const tokensMin = 16;
export const tokensMax = 8_192;

/** Nodes in one roster: the mesh is full, and the cluster command stops here too. */
export const rosterMembersMax = 256;
/** Copies of a block. */
export const replicasMax = 9;
export const replicasDefault = 3;
/** Deciders of a register in a roster of three or more (ARCHITECTURE.md, "Agreement"). */
export const decidersMax = 3;
export const councilMax = 7;

/** Default leaf size, and the number of links of an inner node (kubo's classic settings). */
export const chunkBytesDefault = 256 * KiB;
export const linksMaxDefault = 174;
/** The IPFS profile unixfs-v1-2025 (IPIP-499). */
export const chunkBytesLarge = 1 * MiB;
export const linksMaxLarge = 1_024;
/** Largest block stored or sent; other systems refuse over 2 MiB. */
export const blockBytesMax = 1 * MiB;
/** Blocks up to here live in SQLite: faster than files there (64 against 18 MiB/s at 4 KiB). */
export const smallBlockBytesMax = 16 * KiB;
/** Depth of a DAG: 174^5 leaves of 256 KiB are 37 PiB. */
export const dagDepthMax = 8;

/** File names, keys: long enough for any path, short enough for an index. */
export const nameBytesMax = 1 * KiB;
export const keyBytesMax = 1 * KiB;
export const valueBytesMax = 1 * MiB;

/** A frame holds one block and its header, or one message. */
export const frameBytesMax = 2 * MiB;
/** Control messages (liveness, roster): far below a block, so that they never hold up a stream. */
export const controlMessageBytesMax = 512 * KiB;
/** Record messages carry one value at most, or one page of rows. */
export const recordMessageBytesMax = valueBytesMax + 256 * KiB;

/** How long a list waits for the catalogs of the others before it says that it may be stale. */
export const freshCatalogMs = 1_000;

/** Bytes unsent on one connection: what a liveness frame may have to wait behind. */
export const connectionUnsentBytesMax = 1 * MiB;
/** Blocks asked of one peer at once. */
export const wantsPerPeerMax = 32;
/** Blocks in flight for one pull: fewer live blocks, fewer that outlive a young collection. */
export const pullWindowBlocks = 16;
/** Blocks in flight for one push: 12 MiB of leaves, each on its way to several nodes. */
export const pushWindowBlocks = 48;
/** Leaf bytes in flight for all pulls and pushes of a node, whatever the leaf size. */
export const transferWindowBytes = 16 * MiB;
/** Leaf bytes that a transfer may have in flight however many there are. */
export const transferWindowBytesMin = 1 * MiB;
/** Blocks in flight that a push needs: it holds four for hashing, and places inner ones beside. */
export const pushWindowBlocksMin = 6;
/** Second and third requests for late blocks of one pull: what haste may cost in bytes. */
export const fetchHedgesMax = 8;
/** A request for one block; a slow line has few of them in flight (fetch_peer.ts). */
export const fetchTimeoutMs = 10_000;
/** Asking everyone who holds a block. */
export const fetchSearchMs = 5_000;
/** How long after its first request a block may begin another round: then the pull fails. */
export const fetchPatienceMs = 30_000;
/** Rounds over holders that failed without a lie. */
export const fetchRoundsMax = 2;
/** Copies on their way to one node in one push. */
export const putsPerPeerMax = 32;
/** A node this far behind the others in a push is replaced by a stand-in. */
export const pushBehindMs = 2_000;
/** A node without any progress, when there is no other to compare it with. */
export const pushStallMs = 10_000;

/** Metadata (records, inner blocks, write-ahead log): a tenth of the capacity, or this. */
export const metadataShare = 0.1;
export const metadataBytesMin = 1 * GiB;
/** A full node takes blocks again below this share. */
export const fullEndsBelow = 0.9;

/** Wants, haves and puts kept for one peer, on each side: beyond it the answer is busy. */
export const exchangePendingMax = 256;
/** Blocks being read from disk or waiting to be sent to one peer: bounds a server's memory. */
export const readsPerPeerMax = 8;
/** Block bytes a sender may have on the way to one receiver: covers 40 ms at 100 MB/s. */
export const creditWindowBytes = 4 * MiB;
/** Reads for a stranger at once. */
export const strangerReadsMax = 1;
/** Block bytes a second served to one stranger. */
export const strangerBytesPerSecondMax = 4 * MiB;
/** Strangers connected at once under --public. */
export const strangersMax = 32;
/** CIDs in one have message. */
export const haveCidsMax = 1_024;
/** Small frames are joined up to here before they are sent. */
export const joinedFramesBytesMax = 64 * KiB;
/** A frame that has begun must end within this time, else its stream is reset. */
export const frameDeadlineMs = 20_000;
/** An unadmitted connection is closed after this time. */
export const admissionDeadlineMs = 5_000;
/** Admission messages: nonces, proofs and a ticket. */
export const admissionMessageBytesMax = 2 * KiB;
/** How long a tab's ticket is good for. */
export const ticketLifeMs = 24 * 60 * 60 * 1_000;
/** Connections of one host: a full mesh, doubled by simultaneous dials, tabs and strangers. */
export const connectionsMax = 2 * rosterMembersMax + 256;
/** Connections being upgraded at once: at the library's 10 a third of many dials fail. */
export const pendingConnectionsMax = 100;
/** Inbound connections a second from one address; on loopback all nodes are one address. */
export const inboundConnectionsPerSecond = 10;
export const inboundConnectionsPerSecondLoopback = 1_000;
/** Connections kept to one peer: two dials that cross, and their successors. */
export const connectionsPerPeerMax = 4;
/** Streams of one connection, each way: a dozen protocols, two generations of each. */
export const streamsPerConnectionMax = 64;
/** Rooms of dead blocks kept for the next ones: more than a pull has in flight. */
export const blockRoomsMax = 2 * pullWindowBlocks;
/** Unread and unsent bytes of one stream; above it the stream is reset. */
export const streamBufferBytesMax = 8 * MiB;
/** Yamux window: above the credit window, so that credits and not the muxer set the pace. */
export const streamWindowBytesMax = 6 * MiB;
/** One WebSocket message that arrives; refused before admission too. */
export const socketMessageBytesMax = 1 * MiB;
/** One that is sent: a block of the default size fits with all that is put around it. */
export const socketMessageBytesSent = 512 * KiB;
/** Bytes of one gossip message: digests only. */
export const gossipMessageBytesMax = 16 * KiB;

/** Statements of one transaction: cloned to the worker in one message, so a stall of its sender. */
export const transactionStatementsMax = 4_000;
/** Bytes of the parameters of one transaction: one large value and its rows. */
export const transactionBytesMax = 8 * MiB;
/** Transactions are joined into one commit up to these; more wait for the next. */
export const commitStatementsMax = 4_000;
export const commitBytesMax = 8 * MiB;
/** Writes waiting for a commit; beyond them a write is refused as busy. */
export const queuedStatementsMax = 200_000;
export const queuedBytesMax = 64 * MiB;
/** Different SQL texts in one process: values belong into parameters. */
export const sqlTextsMax = 1_000;
/** Pages of 4 KiB in the write-ahead log after which a checkpoint is tried: each costs a sync. */
export const walPagesCheckpoint = 3_000;
/** Pages after which readers are waited for, so that the log restarts: 64 MiB. */
export const walPagesMax = 16_384;

/** A database up to here is checked at every start (0.3 s), a larger one after a crash only. */
export const databaseCheckBytesMax = 256 * MiB;

/** Blocks made durable together: one directory sync and one commit for all of them. */
export const putBatchBlocks = 16;
/** Batches under way at once: one syncs its files while the other commits its rows. */
export const putBatchesMax = 2;
/** Puts waiting or under way, in blocks and in bytes; beyond them a put is refused as busy. */
export const putsWaitingMax = 1_024;
export const putsWaitingBytesMax = 64 * MiB;
/** Reads of blocks longer than this, more than so many in a row, mean a slow disk. */
export const readSlowMs = 5;
export const readsSlowMax = 2;
/** One read as long as this does too: it held up everything else on its thread. */
export const readStallMs = 25;
/** After that so many reads go to another thread. */
export const readsAsideCount = 64;
/** Bad blocks kept for inspection; the oldest go first. */
export const quarantinedBlocksMax = 256;
/** Block files in one folder, so that a restart after a crash lists few names. */
export const folderBlocksMax = 4_096;
/** A full disk is asked again this often; another program may have made room. */
export const reserveRetryMs = 5_000;
/** Kept on disk as an empty promise: given up when the disk is full, so that deletes work. */
export const diskReserveBytes = 16 * MiB;

/** Roster changes that a proposer keeps for others: a whole roster joining at once. */
export const rosterChangesMax = 2 * rosterMembersMax;
/** Members in all rosters of one message, of about 100 bytes each: far below the frame. */
export const rostersPerMessageMax = 2_048;
/** Slots or rows in one record message: pages of 256, with room for other settings. */
export const rowsPerMessageMax = 4_096;
/** Disks ever declared lost that a roster lists: an operator types each. */
export const rosterLostMax = 1_024;
/** What the agreement may have under way to a slow disk before messages are dropped unread. */
export const agreementUnsyncedMax = 2_000;
export const agreementUnsyncedBytesMax = 32 * MiB;
/** Pages of slots listed at once at one node. */
export const listingsAtOnceMax = 256;
/** Operations queued on one key at one node: more is a caller that does not wait. */
export const operationsPerKeyMax = 64;
/** Versions that a value lists: an own attempt is recognised that many changes later. */
export const recentVersionsMax = 8;
/** Tombstones whose dropping is asked about at once. */
export const tombstonesAtOnceMax = 64;

/** Deadline of one register operation (ARCHITECTURE.md, "Agreement"). */
export const operationDeadlineMs = 5_000;
/** A stamp further ahead than this comes from a wrong clock and is refused. */
export const stampAheadMsMax = 60_000;
/** Addresses kept of one member. */
export const addressesMax = 16;
/** Names that one search looks at (a tenth of a second of work), and those before it pauses. */
export const searchNamesMax = 200_000;
export const searchNamesAtOnce = 4_000;
/** Entries in one catalog message, and records named in one gossip digest. */
export const catalogPageEntriesMax = 500;
export const catalogDigestEntriesMax = 256;
/** Bytes of entries in one page: small enough that a page never holds up a stream. */
export const catalogPageBytesMax = 512 * KiB;
/** A node that compared its catalog longer ago than this discards its copies (T4). */
export const catalogStaleMsMax = 15 * 24 * 3_600_000;
/** Tombstones live this long, at least; twice `catalogStaleMsMax`, so none is missed. */
export const tombstoneAgeMs = 30 * 24 * 3_600_000;
/** A range with no more entries than this is listed instead of split. */
export const reconcileListMax = 48;
/** A step later than this after the last one is a pause. */
export const pauseMs = 2_000;

/** Liveness (SWIM): one probe a period; a direct answer is waited for half of it. */
export const swimPeriodMs = 1_000;
export const swimProbeTimeoutMs = 500;
export const swimHelpers = 3;
/** Fresh facts go to a few members this often, each fact a few times log10 of the members. */
export const swimGossipMs = 200;
export const swimGossipTargets = 3;
export const swimRetransmits = 4;
/** A suspect has this long to refute once three others agree; a stop of 3 s must fit in. */
export const swimSuspicionMinMs = 4_200;
export const swimSuspicionMaxMs = 3 * swimSuspicionMinMs;
export const swimConfirmations = 3;
/** Lifeguard's local health: own time-outs grow up to this factor. */
export const swimHealthMax = 4;
/** A full exchange costs bytes by the member: so its interval grows with them. */
export const swimExchangeMsPerMember = 500;
export const swimExchangeMinMs = 3_000;
/** How often one member that seems dead is asked: heals partitions. */
export const swimDeadProbeMs = 2_000;
/** After a pause nobody answered for this long: there are no others to exchange with. */
export const swimLonelyMs = 10_000;
/** Time between two steps that counts as time that others had to answer. */
export const swimStepMaxMs = 250;
/** Probes and relays under way in one node. */
export const swimProbesMax = 64;
/** A tick of SWIM's timer: well below swimStepMaxMs, so that a busy node still keeps time. */
export const swimTickMs = 100;
/** Liveness messages unsent to one peer: older than a period, they are of no use. */
export const swimQueueMax = 64;
/** Own facts (use, phase) are told this often at most. */
export const profileIntervalMs = 1_000;
/** Facts that ride on one message, and profiles in one full exchange. */
export const swimPiggybackBytesMax = 4 * KiB;
export const swimExchangeBytesMax = 256 * KiB;
export const profileBytesMax = 2 * KiB;

/** HTTP: one socket each for tabs, tools and proxies of a small group; more wait in the backlog. */
export const httpConnectionsMax = 1_024;
export const httpHeaderBytesMax = 16 * KiB;
/** A browser sends its headers at once; who trickles them is closed. */
export const httpHeadersTimeoutMs = 5_000;
/** No byte in either direction: longer than a heartbeat of the event stream. */
export const httpIdleTimeoutMs = 60_000;
export const httpKeepAliveMs = 15_000;
/** An upload must bring this many bytes per window of waiting for the client. */
export const httpBodyWindowMs = 20_000;
export const httpBodyBytesPerWindowMin = 16 * KiB;
/** After an answer in mid-upload, bytes and time read on so that the client sees it. */
export const httpLingerBytesMax = 64 * MiB;
export const httpLingerMs = 1_000;
export const httpStopGraceMs = 1_000;
/** JSON bodies that the API reads are a few fields. */
export const httpJsonBytesMax = 64 * KiB;
/** Events kept for Last-Event-ID, and waiting for one slow listener before it must resync. */
export const eventsKeptMax = 1_000;
export const eventsWaitingMax = 1_000;
export const eventListenersMax = 256;
export const eventHeartbeatMs = 15_000;
/** A share link is forgotten by its maker long before this. */
export const shareLifetimeMsMax = 366 * 24 * 3_600_000;
/** Segments of an /ipfs path: each costs at least one block. */
export const ipfsPathSegmentsMax = 64;

/** Line protocol: a longest name and its command fit a line; one line is all that is kept. */
export const lineBytesMax = 4 * KiB;
/** A connection that sends nothing while no command runs is somebody's forgotten netcat. */
export const lineIdleMs = 60_000;
/** A client that takes no byte of its download for this long has gone: a pager may pause. */
export const lineStallMs = 600_000;
export const lineConnectionsMax = 256;
/** Read on after the last answer, so that its client sees it and not a reset. */
export const lineLingerBytesMax = 64 * MiB;
export const lineLingerMs = 5_000;
/** Rows of a list asked for together. */
export const linePageFiles = 200;
/** Size that a push may announce; beyond it the number is a mistake, and no body is drained. */
export const fileBytesMax = 2 ** 50;

/** Gateway: nodes are asked this often, and have this long to answer. */
export const gatewayPollMs = 1_000;
export const gatewayPollTimeoutMs = 2_000;
/** Polls failed in a row after which what runs at a node is broken off or goes on elsewhere. */
export const gatewayGonePolls = 3;
/** Nodes that it keeps: a whole roster, and some that left. */
export const gatewayNodesMax = 2 * rosterMembersMax;
/** Bodies held so that they can be sent again: each, and all together. */
export const gatewayReplayBytesMax = 1 * MiB;
export const gatewayReplayTotalBytesMax = 64 * MiB;
/** Answers read whole to judge them: problems, and JSON that the line protocol needs. */
export const gatewayAnswerBytesMax = 4 * MiB;
/** Nodes that one download may go on at without having gained a byte. */
export const gatewayResumesMax = 8;

/** Repair: blocks whose holders are asked for together, so that the rarest of many go first. */
export const repairWindowBlocks = 4_096;
/** Blocks being fetched by repair, in all and from one peer: 8 MiB of leaves at most. */
export const repairFetchesMax = 32;
export const repairFetchesPerPeerMax = 12;
/** The same while pushes and pulls run here, and the bytes a second that repair then keeps to. */
export const repairFetchesBusyMax = 2;
export const repairBusyBytesPerSecond = 8 * MiB;
/** A block that nobody had is looked for again after this long, or when a member returns. */
export const repairRetryMs = 10_000;
/** Wanted and surplus blocks listed; what is beyond is found by the next walk. */
export const wantedBlocksMax = 100_000;
export const surplusBlocksMax = 100_000;
/** Changed files waiting to be walked; beyond them everything is walked. */
export const changedFilesMax = 10_000;
/** All files are walked again this often, for what no event told of. */
export const sweepEveryMs = 3_600_000;
/** An owner's word is good for the first, its promise to keep for the second (trim_rule.ts). */
export const trimFreshMs = 10_000;
export const trimHoldMs = 60_000;
/** Time between the two questions to an owner. */
export const trimApartMs = 2_000;
/** Blocks in one question to an owner: it reads and hashes each. */
export const vouchBlocksMax = 128;
/** A surplus or unreferenced block is left alone while a push may just have counted it. */
export const trimLeaseMs = 30_000;
/** Repair messages: 128 CIDs and their copies, or lost CIDs of a report. */
export const repairMessageBytesMax = 64 * KiB;
/** CIDs without any holder that one report names; beyond it they are counted only. */
export const lostCidsMax = 1_024;
/** Held blocks read from the index at once by collector and scrubber. */
export const collectPageBlocks = 500;
/** Unreferenced blocks whose keep time is counted at once; more wait for theirs to begin. */
export const unreferencedMax = 200_000;
/** Time for a decided record to reach every catalog, and for clocks that differ a little. */
export const collectGraceMs = 30_000;
/** The scrubber's pace, and how long a block read back is passed over: a week. */
export const scrubBytesPerSecond = 4 * MiB;
export const scrubAgainMs = 7 * 24 * 3_600_000;

/** Jobs kept after their end, and under way at once: an operator types each. */
export const jobsKeptMax = 100;
export const jobsRunningMax = 16;
/** Jobs of other members that this one was told of, and jobs in one control message. */
export const jobsToldMax = 500;
export const controlJobsMax = jobsKeptMax + jobsRunningMax;
/** Blocks asked about together, and sent at once, when a node hands off what it holds. */
export const handOffPageBlocks = 512;
export const handOffAtOnceMax = 8;

assert(chunkBytesLarge <= blockBytesMax, "the largest leaf must be a block");
assert(blockBytesMax + 4 * KiB <= frameBytesMax, "a frame must hold a block");
assert(recordMessageBytesMax <= frameBytesMax, "a frame must hold a record message");
assert(controlMessageBytesMax <= connectionUnsentBytesMax, "liveness must not wait for control");
assert(creditWindowBytes * 3 / 4 >= blockBytesMax, "credit not yet given back must not block one");
assert(socketMessageBytesSent <= socketMessageBytesMax, "what is sent must be taken");
assert(chunkBytesDefault * 2 <= socketMessageBytesSent, "a block must fit one message");
assert(streamWindowBytesMax <= streamBufferBytesMax, "a paused stream must hold its window");
assert(transactionBytesMax <= queuedBytesMax, "a transaction must fit the queue");
assert(valueBytesMax < transactionBytesMax, "a value must fit a transaction");
assert(eventHeartbeatMs * 2 < httpIdleTimeoutMs, "a heartbeat must keep its socket open");
assert(swimExchangeBytesMax + 64 * KiB <= controlMessageBytesMax, "an exchange must fit a message");
assert(swimPeriodMs + swimSuspicionMinMs > pauseMs * 2, "a paused node must have time to refute");
assert(trimHoldMs > 2 * trimFreshMs, "a promise must outlast all that is done upon it");
assert(2 * trimApartMs < trimFreshMs, "two questions must fit into the time of a fresh word");
