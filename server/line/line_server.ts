// The listener of the line protocol. Its connections belong to it: stop() ends them all.

import { type AddressInfo, createServer, type Server } from "node:net";
import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import { lineConnectionsMax } from "../../shared/base/limits.ts";
import type { LineService } from "./line_service.ts";
import { runSession } from "./line_session.ts";
import { LineSocket } from "./line_socket.ts";

export interface LineServerOptions {
  readonly service: LineService;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Demanded of every connection; null on loopback. */
  readonly token: string | null;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Shorter, for tests. */
  readonly idleMs?: number;
}

export interface LineServer {
  /** Listens; resolves with the port in use. @throws {SkyringError} conflict */
  start(): Promise<number>;
  /** Stops listening and closes what is open. */
  stop(): Promise<void>;
}

/** A line protocol server, not yet listening. @throws never */
export function createLineServer(options: LineServerOptions): LineServer {
  const sessions = new Map<LineSocket, Promise<void>>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (raw) => {
    const socket = new LineSocket(raw);
    const session = runSession(socket, options)
      .catch((error) => {
        options.log("line.session_failed", { error: messageOf(error) });
        socket.reset();
      })
      .finally(() => sessions.delete(socket));
    sessions.set(socket, session);
  });
  server.maxConnections = lineConnectionsMax;
  return {
    start: () => listen(server, options),
    stop: async () => {
      if (!server.listening) return;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sessions.keys()) socket.reset();
      await Promise.all(sessions.values());
      await closed;
    },
  };
}

function listen(server: Server, options: LineServerOptions): Promise<number> {
  const { host, port } = options;
  return new Promise((resolve, reject) => {
    const failed = (cause: Error) => {
      const message = `Cannot listen on ${host}:${port} for the line protocol: ${cause.message}`;
      reject(new SkyringError("conflict", message, { data: { host, port }, cause }));
    };
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      server.on("error", (error) => options.log("line.server_error", { error: messageOf(error) }));
      resolve((server.address() as AddressInfo).port);
    });
  });
}
