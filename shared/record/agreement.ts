// The agreement machine: roster chain and registers of one node. See agreement_port.ts.

import type { Agreement, AgreementOptions, AgreementSettings } from "./agreement_port.ts";

/** The timers and sizes of agreement.md section 9. */
export const agreementSettings: AgreementSettings = {
  fastReadMs: 150,
  attemptMs: [400, 600],
  backoffMs: { first: 20, most: 1_000 },
  rosterAttemptMs: 1_500,
  rosterBackoffMs: { least: 300, first: 200, most: 5_000 },
  batchMs: 200,
  helloMs: 1_000,
  handoverRetryMs: [700, 1_200],
  handoverPatienceMs: 300,
  settleMs: 1_000,
  tombstoneAgeMs: 30 * 24 * 3_600_000,
  tombstoneScanMs: 60_000,
  pauseMs: 2_000,
  handoverSlots: 512,
  slotsPerMessage: 256,
  rowsPerPage: 256,
  pageBytes: 1_048_576,
  historyKeep: 64,
  operationsMax: 4_096,
};

/** A machine over what its disk holds. @throws {AssertionError} when the saved state is no chain */
export declare function createAgreement(options: AgreementOptions): Agreement;
