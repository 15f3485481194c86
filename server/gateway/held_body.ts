// Small bodies are held until they are answered, so that they can be sent to another node when
// the first one dies. What all of them take together is bounded; beyond that bodies stream.

import { gatewayReplayBytesMax, gatewayReplayTotalBytesMax } from "../../shared/base/limits.ts";
import { readSmall } from "../http/requests.ts";
import type { UpstreamBody } from "./upstream.ts";

export interface HeldBodies {
  /** The body of a request; `release` when it has been answered. @throws as its stream */
  take(request: Request): Promise<{ readonly body: UpstreamBody; readonly release: () => void }>;
}

/** Room for held bodies. @throws never */
export function createHeldBodies(): HeldBodies {
  let heldBytes = 0;
  return {
    async take(request) {
      const { body: stream, headers } = request;
      if (stream === null) return { body: { kind: "none" }, release: () => undefined };
      const length = Number(headers.get("content-length") ?? NaN);
      if (!(length <= gatewayReplayBytesMax && heldBytes + length <= gatewayReplayTotalBytesMax)) {
        return { body: { kind: "stream", stream }, release: () => undefined };
      }
      heldBytes += length;
      const release = () => {
        heldBytes -= length;
      };
      try {
        return { body: { kind: "held", bytes: await readSmall(request, length) }, release };
      } catch (error) {
        release();
        throw error;
      }
    },
  };
}
