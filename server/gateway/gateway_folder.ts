// Where gateways of this machine keep their lock files, for the command line client to find them.

import { join } from "node:path";

/** Folder that holds a folder for each gateway, named by its port. @throws never */
export function gatewayFolder(dataRoot: string): string {
  return join(dataRoot, "gateway");
}
