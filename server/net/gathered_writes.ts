// One write a turn: everything that a connection sends in one turn of the event loop goes to the
// kernel in one call. The TCP transport writes every piece by itself, and noise makes two or
// three pieces of each record, so that a small frame (a want, a window update) cost three
// system calls and three packets, and a block fifteen.
//
// Invariant: the bytes and their order are the transport's; only the calls are fewer. A socket
// that is full still says so, with the next send refused until it has drained.

import type { Socket } from "node:net";
import process from "node:process";
import type { Uint8ArrayList } from "uint8arraylist";

interface SendResult {
  readonly sentBytes: number;
  readonly canSendMore: boolean;
}

/** What the TCP transport's connections have beside their public face. */
interface SocketConnection {
  readonly socket: Socket;
  sendData(data: Uint8ArrayList): SendResult;
}

/**
 * Makes a connection over a socket gather its writes. @returns false for any other connection,
 * which is left as it is
 */
export function gatherWrites(connection: object): boolean {
  if (!isOverSocket(connection)) return false;
  const { socket } = connection;
  let corked = false;
  const uncork = () => {
    corked = false;
    socket.uncork();
  };
  connection.sendData = (data) => {
    if (!corked) {
      corked = true;
      socket.cork();
      process.nextTick(uncork);
    }
    let canSendMore = true;
    for (const piece of data) canSendMore = socket.write(piece);
    return { sentBytes: data.byteLength, canSendMore };
  };
  return true;
}

function isOverSocket(connection: object): connection is SocketConnection {
  if (!("socket" in connection && "sendData" in connection)) return false;
  const { socket } = connection;
  return typeof socket === "object" && socket !== null && "cork" in socket;
}
