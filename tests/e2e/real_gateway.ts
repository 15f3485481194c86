// A gateway process, with its lock file where SKYRING_TEST_DATA says.

import { runGatewayProcess } from "../../server/gateway/gateway_process.ts";

Deno.exit(
  await runGatewayProcess(Deno.args, { dataRoot: Deno.env.get("SKYRING_TEST_DATA") ?? "" }),
);
