// /ui/events: the events of the pool for open pages. A browser keeps at most six connections to
// one origin over HTTP/1.1, and a stream holds one for good: beyond four streams from one address
// the answer is 204, and that page lives on its polls alone.

import { eventStream } from "./events.ts";
import { readWord } from "./gateway_word.ts";
import type { App } from "./routes.ts";
import type { Services } from "./services.ts";

/** Two of the six connections stay free for pages and polls. */
const pageStreamsMax = 4;

/** Adds the route. @throws never */
export function routeUiEvents(app: App, services: Services): void {
  const open = new Map<string, number>();
  app.get("/ui/events", (context) => {
    // Behind a gateway all visitors have its address. Tests call the app without a socket.
    const visitor = readWord(context.req.raw.headers, services.config.token)?.client;
    const address = visitor ?? context.env?.remoteAddress ?? "";
    const streams = open.get(address) ?? 0;
    if (streams >= pageStreamsMax) {
      return new Response(null, { status: 204, headers: { "cache-control": "no-store" } });
    }
    const body = eventStream(services.events, context.req.header("last-event-id"));
    open.set(address, streams + 1);
    const counted = whenOver(body, () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
    return new Response(counted, {
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      },
    });
  });
}

/** The same stream; `over` is called once, when it ends, fails or is left. */
function whenOver(
  source: ReadableStream<Uint8Array>,
  over: () => void,
): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  let done = false;
  const end = () => {
    if (!done) over();
    done = true;
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const chunk = await reader.read();
        if (chunk.done) {
          end();
          controller.close();
        } else controller.enqueue(chunk.value);
      } catch (error) {
        end();
        throw error;
      }
    },
    async cancel(reason) {
      end();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
