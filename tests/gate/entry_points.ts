// Product files that start something, or that only a test or a later face uses, each with its
// reason. Every other file must be imported by the product.

/** Paths from the root of the checkout. */
export const entryPoints: ReadonlySet<string> = new Set<string>([
  // Started by tasks of deno.json.
  "server/main.ts",
  "server/cli/main.ts",
  "server/cluster/main.ts",
  "server/gateway/main.ts",
  "server/bundle_main.ts",
  // Bundled for browsers.
  "web/tab/page.ts",
  "web/tab/worker.ts",
  // A store of edge nodes and of the simulator: composed at run time by neither node nor tab yet.
  "shared/block/memory_store.ts",
]);
