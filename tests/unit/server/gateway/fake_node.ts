// A small node for gateway tests: the real HTTP app on a real port, over a pool in memory.

import type { Pool } from "../../../../server/engine/pool.ts";
import { createHttpServer, type HttpServer } from "../../../../server/http/server.ts";
import type { HttpConfig, Services } from "../../../../server/http/services.ts";
import { createFixture } from "../../../http/app_fixture.ts";
import { createMemoryPool, type MemoryPool } from "../../../http/memory_pool.ts";

export interface FakeNode {
  readonly base: string;
  readonly port: number;
  readonly pool: MemoryPool;
  readonly http: HttpServer;
  /** Requests that it got, beside the gateway's own questions. */
  readonly asked: { readonly method: string; readonly path: string; readonly headers: Headers }[];
  stop(): Promise<void>;
}

export interface FakeOptions {
  readonly config?: Partial<HttpConfig>;
  readonly services?: Partial<Services>;
  readonly change?: (pool: MemoryPool) => Partial<Pool>;
  /** Called before the app; what it throws breaks the connection. */
  readonly before?: (request: Request) => Promise<void> | void;
}

/** A port that was free just now. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** Starts one. */
export async function startFake(options: FakeOptions = {}): Promise<FakeNode> {
  const port = freePort();
  const pool = createMemoryPool();
  const { app } = createFixture({ port, ...options.config }, {
    nodes: () => [],
    ...options.services,
    pool: { ...pool, ...options.change?.(pool) },
  });
  const asked: { method: string; path: string; headers: Headers }[] = [];
  const http = createHttpServer(async (request, connection) => {
    const { pathname, search } = new URL(request.url);
    if (pathname !== "/ready" && pathname !== "/api/nodes") {
      asked.push({ method: request.method, path: pathname + search, headers: request.headers });
    }
    try {
      await options.before?.(request);
    } catch {
      // The answer's body fails at once, which breaks the connection.
      return new Response(new ReadableStream({ pull: (c) => c.error(new Error("died")) }));
    }
    return await app.fetch(request, connection);
  }, { host: "127.0.0.1", port, log: () => undefined });
  await http.start();
  const stop = () => http.stop();
  return { base: `http://127.0.0.1:${port}`, port, pool, http, asked, stop };
}
