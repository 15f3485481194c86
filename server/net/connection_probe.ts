// Whether one connection still answers: a ping on it and no other. libp2p's own ping goes to a
// peer over any connection, and here two connections of one peer id have to be told apart.

import type { Connection, Stream } from "@libp2p/interface";
import { messageOf } from "../../shared/base/errors.ts";

const pingProtocol = "/ipfs/ping/1.0.0";
const pingBytes = 32;

/** True when the other end echoes within `timeoutMs`. Never rejects. Source: libp2p ping 1.0.0 */
export async function answersPing(connection: Connection, timeoutMs: number): Promise<boolean> {
  const signal = AbortSignal.timeout(timeoutMs);
  let stream: Stream | undefined;
  try {
    stream = await connection.newStream(pingProtocol, { signal });
    const { promise, resolve } = Promise.withResolvers<boolean>();
    let heard = 0;
    stream.addEventListener("message", ({ data }) => {
      heard += data.byteLength;
      if (heard >= pingBytes) resolve(true);
    });
    stream.addEventListener("close", () => resolve(false));
    signal.addEventListener("abort", () => resolve(false), { once: true });
    stream.send(crypto.getRandomValues(new Uint8Array(pingBytes)));
    return await promise;
  } catch (error) {
    connection.log("connection does not answer: %s", messageOf(error));
    return false;
  } finally {
    stream?.abort(new Error("ping is over"));
  }
}
