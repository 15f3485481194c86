// Entry of `deno task cluster`: real nodes, with their data in the checkout. The process around
// them is cluster_process.ts.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runClusterProcess } from "./cluster_process.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));

Deno.exit(
  await runClusterProcess(Deno.args, {
    entry: join(checkout, "server/main.ts"),
    dataRoot: join(checkout, "data"),
  }),
);
