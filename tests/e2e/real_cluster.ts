// A cluster process of real nodes, with its data where SKYRING_TEST_DATA says.

import { fileURLToPath } from "node:url";
import { runClusterProcess } from "../../server/cluster/cluster_process.ts";

Deno.exit(
  await runClusterProcess(Deno.args, {
    entry: fileURLToPath(new URL("../../server/main.ts", import.meta.url)),
    dataRoot: Deno.env.get("SKYRING_TEST_DATA") ?? "",
  }),
);
