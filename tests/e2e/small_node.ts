// A node process without a pool: the real settings, seat, lock, signals and exit codes, and one
// HTTP port that tells its pid and ends it. Tests of processes and supervision start it many
// times, quickly. `GET /die` ends it as a crash does, `GET /leave` with 0, `GET /hang` stops its
// event loop.

import { runNodeProcess } from "../../server/node_process.ts";

const code = await runNodeProcess(({ config, seat }) => {
  const exited = Promise.withResolvers<number>();
  const server = Deno.serve({
    hostname: config.host,
    port: seat.port,
    onListen: () => undefined,
    handler: (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/die") Deno.exit(7);
      if (pathname === "/leave") exited.resolve(0);
      // Hangs with its event loop, once it has said so.
      if (pathname === "/hang") {
        setTimeout(() => {
          for (;;);
        }, 100);
      }
      return Response.json({ pid: Deno.pid, name: seat.name, join: seat.join });
    },
  });
  return Promise.resolve({
    id: `id-${seat.name}`,
    bootId: crypto.randomUUID(),
    http: `http://127.0.0.1:${seat.port}`,
    p2p: [`/ip4/127.0.0.1/tcp/${seat.p2pPort}/p2p/id-${seat.name}`],
    line: null,
    exited: exited.promise,
    stop: async () => {
      await server.shutdown();
      exited.resolve(0);
    },
  });
}, Deno.args);
Deno.exit(code);
