// What is left when the supervisor is killed with kill -9: a small shell that reads the process
// ids of the nodes from a pipe, and when the pipe ends lets those go on that were stopped. They
// then find their own pipe ended and stop; one that hangs finds nothing, and is killed after a
// while, unless its number names another process by then. Signals of the terminal do not end it.

import { messageOf } from "../../shared/base/errors.ts";

/** Longer than a node's own clean stop may take. */
const hungAfterS = 12;

const script = `trap '' INT TERM HUP
born() { (ps -o lstart= -p "$1" || cut -d' ' -f22 "/proc/$1/stat") 2>/dev/null | tr -d ' '; }
pids=
while read -r line; do pids=$line; done
[ -n "$pids" ] || exit 0
kill -CONT $pids 2>/dev/null
known=
for pid in $pids; do known="$known $pid:$(born "$pid")"; done
sleep ${hungAfterS}
for one in $known; do
  pid=\${one%%:*}
  [ "$one" != "$pid:$(born "$pid")" ] || kill -KILL "$pid" 2>/dev/null
done`;

/** A guard over processes. */
export interface ProcessGuard {
  /** Replaces the list. @throws never */
  watch(pids: readonly number[]): void;
  /** Ends it; it touches nothing then. */
  stop(): Promise<void>;
}

/** Starts a guard. A machine without a shell has none. @throws never */
export function startProcessGuard(say: (line: string) => void): ProcessGuard {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("sh", {
      ...{ args: ["-c", script], stdin: "piped", stdout: "null", stderr: "null" },
    }).spawn();
  } catch (error) {
    say(`no shell watches over paused nodes: ${messageOf(error)}`);
    return { watch: () => undefined, stop: () => Promise.resolve() };
  }
  const writer = child.stdin.getWriter();
  const encoder = new TextEncoder();
  let last: Promise<void> = Promise.resolve();
  let gone = false;
  const send = (pids: readonly number[]) => {
    if (gone) return;
    last = last.then(() => writer.write(encoder.encode(`${pids.join(" ")}\n`))).catch((error) => {
      // Somebody ended the shell: the nodes are no worse off than without it.
      if (!gone) say(`no shell watches over paused nodes any more: ${messageOf(error)}`);
      gone = true;
    });
  };
  return {
    watch: send,
    stop: async () => {
      send([]);
      await last;
      if (!gone) await writer.close();
      await child.status;
    },
  };
}
