// Why a dial came to nothing, as errors: nobody answered there, or who did was not admitted.

import { SkyringError } from "../../shared/base/errors.ts";

/** Nobody could be reached at an address. @throws never */
export function unreachable(label: string, reason: string, cause?: unknown): SkyringError {
  return new SkyringError("unreachable", `Cannot dial ${label}: ${reason}`, {
    data: { address: label },
    cause,
    retriable: true,
  });
}

/** Admission said no, on either side; `detail` is the reason in full. @throws never */
export function notAdmitted(label: string, reason: string, detail = reason): SkyringError {
  return new SkyringError("not_admitted", `Cannot join ${label}: ${detail}`, {
    data: { address: label, reason },
  });
}
