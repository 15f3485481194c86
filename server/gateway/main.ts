// Entry of `deno task gateway`. The process around it is gateway_process.ts.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runGatewayProcess } from "./gateway_process.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));

Deno.exit(await runGatewayProcess(Deno.args, { dataRoot: join(checkout, "data") }));
