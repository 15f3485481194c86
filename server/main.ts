// Entry of `deno task node`. The process around a node is node_process.ts; what a node is made
// of, and in which order it starts and stops, is node.ts.

import { startNode } from "./node.ts";
import { runNodeProcess } from "./node_process.ts";

Deno.exit(await runNodeProcess(startNode, Deno.args));
