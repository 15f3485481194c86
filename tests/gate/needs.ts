// Tests that need a program or data that a bare machine may lack. Such a test is ignored there,
// under a name that says what it needs, and the gate lists it with the package to install.

/** What a test may need, and how to get it. */
export type Need =
  | "chromium"
  | "nc"
  | "node"
  | "strace"
  | "ps"
  | "git"
  | "vectors"
  | "ip"
  | "mount";

const remedies: Readonly<Record<Need, string>> = {
  chromium: "the Debian package chromium",
  nc: "the Debian package netcat-openbsd",
  node: "Node.js 20 or later (the Debian package nodejs)",
  strace: "the Debian package strace",
  ps: "the Debian package procps",
  git: "the Debian package git",
  ip: "the Debian package iproute2, and rights to make network namespaces (root)",
  mount: "the Debian package mount, and rights to mount a tmpfs (root)",
  vectors: "the public test vectors, their folder named by SKYRING_VECTORS",
};

/** Name and ignore flag of a test with needs: `Deno.test({ ...needing(["nc"], name), fn })`. */
export function needing(
  needs: readonly Need[],
  name: string,
): { readonly name: string; readonly ignore: boolean } {
  const missing = needs.filter((need) => !isPresent(need));
  return { name: `${name} [needs ${needs.join(", ")}]`, ignore: missing.length > 0 };
}

/** How to make an ignored test run, taken from its name; undefined when it does not say. */
export function remedyOf(testName: string): string | undefined {
  const needs = testName.match(/\[needs ([a-z, ]+)\]$/)?.[1]?.split(", ") ?? [];
  const known = needs.filter((need): need is Need => need in remedies);
  const missing = known.filter((need) => !isPresent(need));
  return missing.length === 0 ? undefined : missing.map((need) => remedies[need]).join(", and ");
}

/** Whether the need is met on this machine. @throws never */
export function isPresent(need: Need): boolean {
  if ((need === "ip" || need === "mount") && Deno.uid() !== 0) return false;
  if (need === "vectors") return (Deno.env.get("SKYRING_VECTORS") ?? "") !== "";
  const folders = (Deno.env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":");
  return folders.some((folder) => {
    try {
      return Deno.statSync(`${folder}/${need}`).isFile;
    } catch {
      return false; // not in this folder of the path
    }
  });
}
