// A node of a later version, as others see it: the real node, but for the protocol that it says it
// speaks.

import { startNode } from "../../server/node.ts";
import { runNodeProcess } from "../../server/node_process.ts";
import { protocolVersion } from "../../shared/base/version.ts";

const speaks = { protocol: protocolVersion + 1, version: "2.0.0-test" };
Deno.exit(await runNodeProcess((options) => startNode({ ...options, speaks }), Deno.args));
