// Entry of `deno task cli`: parses the command line, chooses a node, runs one verb and exits with
// its code. Ctrl-C breaks transfers off; a pull keeps its part file and goes on the next time.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf } from "../../shared/base/errors.ts";
import { createApiClient } from "./api_client.ts";
import { helpText, parseCliArguments, type VerbUsage } from "./cli_arguments.ts";
import { CliFailure, type ExitCode, exitCodes } from "./cli_failure.ts";
import { cluster } from "./cluster_verb.ts";
import type { Verb } from "./command.ts";
import { ls, mv, rm, stat } from "./file_verbs.ts";
import { copies, cp, link } from "./link_verbs.ts";
import { chooseNode } from "./node_choice.ts";
import { collect, heal, jobs, lookup, share } from "./job_verbs.ts";
import { invite, nodes, ring, status } from "./node_verbs.ts";
import { forget, leave, resize, stop } from "./operate_verbs.ts";
import { pull } from "./pull_verb.ts";
import { push } from "./push_verb.ts";
import { workers } from "./worker_verb.ts";
import { createTerminal, printable, ReaderGone } from "./terminal.ts";

const many = 100_000;
const checkout = fileURLToPath(new URL("../..", import.meta.url));

const orderFlags = { "dry-run": "switch", "force": "switch", "detach": "switch" } as const;

const verbs: Readonly<Record<string, VerbUsage & { readonly run: Verb }>> = {
  push: {
    usage: "push [-r] FILE... | push FILE NAME",
    help: "stores files; -r folders as DIR/...; - is standard input",
    operands: [1, many],
    flags: {
      "recursive": "switch",
      "as": "value",
      "replicas": "value",
      "chunk-size": "value",
      "no-overwrite": "switch",
    },
    run: push,
  },
  pull: {
    usage: "pull [-r] NAME [FILE]",
    help: "gets a file, or with -r a folder; goes on with a part; - is standard output",
    operands: [1, 2],
    flags: { recursive: "switch" },
    run: pull,
  },
  ls: {
    usage: "ls [--words WORDS] [PREFIX]",
    help: "lists files, or those whose names hold all the words",
    operands: [0, 1],
    flags: { words: "value" },
    run: ls,
  },
  rm: {
    usage: "rm [-r] NAME...",
    help: "removes files; -r all below a folder",
    operands: [1, many],
    flags: { recursive: "switch" },
    run: rm,
  },
  mv: {
    usage: "mv [--force] OLD NEW",
    help: "renames a file without moving its bytes",
    operands: [2, 2],
    flags: { force: "switch" },
    run: mv,
  },
  cp: {
    usage: "cp [--force] OLD NEW",
    help: "gives content a second name without moving its bytes",
    operands: [2, 2],
    flags: { force: "switch" },
    run: cp,
  },
  link: {
    usage: "link [--force] CID NAME",
    help: "names content that is there, or was deleted within the keep time",
    operands: [2, 2],
    flags: { force: "switch" },
    run: link,
  },
  copies: {
    usage: "copies NAME COUNT",
    help: "keeps another number of copies of a file",
    operands: [2, 2],
    flags: {},
    run: copies,
  },
  stat: { usage: "stat NAME", help: "shows one file", operands: [1, 1], flags: {}, run: stat },
  status: { usage: "status", help: "shows this node", operands: [0, 0], flags: {}, run: status },
  nodes: { usage: "nodes", help: "lists the nodes", operands: [0, 0], flags: {}, run: nodes },
  ring: { usage: "ring", help: "shows the ring", operands: [0, 0], flags: {}, run: ring },
  lookup: {
    usage: "lookup KEY",
    help: "shows where a name or CID belongs, and who holds it",
    operands: [1, 1],
    flags: {},
    run: lookup,
  },
  heal: { usage: "heal", help: "checks and repairs all", operands: [0, 0], flags: {}, run: heal },
  leave: {
    usage: "leave [--dry-run] [--force] [--detach] NODE",
    help: "hands a node's blocks to others, then ends it for good",
    operands: [1, 1],
    flags: orderFlags,
    run: leave,
  },
  stop: {
    usage: "stop [--dry-run] NODE",
    help: "ends a node; it stays in the roster",
    operands: [1, 1],
    flags: { "dry-run": "switch" },
    run: stop,
  },
  forget: {
    usage: "forget [--dry-run] [--force] NODE",
    help: "takes a dead node from the roster, and says what may be lost",
    operands: [1, 1],
    flags: { "dry-run": "switch", "force": "switch" },
    run: forget,
  },
  resize: {
    usage: "resize [--dry-run] [--force] [--detach] NODE SIZE",
    help: "offers more or less space",
    operands: [2, 2],
    flags: orderFlags,
    run: resize,
  },
  jobs: {
    usage: "jobs [--cancel] [ID]",
    help: "lists long work, shows one, or takes it back",
    operands: [0, 1],
    flags: { cancel: "switch" },
    run: jobs,
  },
  collect: {
    usage: "collect",
    help: "removes now what nothing references",
    operands: [0, 0],
    flags: {},
    run: collect,
  },
  share: {
    usage: "share [--expires TIME] NAME",
    help: "prints a link to a file that needs no token (default 1d)",
    operands: [1, 1],
    flags: { expires: "value" },
    run: share,
  },
  workers: {
    usage: "workers [pause NAME | resume NAME]",
    help: "lists the background loops of the node, or pauses one",
    operands: [0, 2],
    flags: {},
    run: workers,
  },
  cluster: {
    usage: "cluster [list | add | start|stop|pause|resume|remove NAME]",
    help: "shows or changes the processes of deno task cluster",
    operands: [0, 2],
    flags: {},
    run: cluster,
  },
  invite: {
    usage: "invite",
    help: "prints a token with which another node joins",
    operands: [0, 0],
    flags: {},
    run: invite,
  },
};

async function run(signal: AbortSignal): Promise<ExitCode> {
  if (["--help", "-h", "help", undefined].includes(Deno.args[0])) {
    console.log(helpText(verbs));
    return Deno.args.length === 0 ? exitCodes.usage : exitCodes.done;
  }
  const args = parseCliArguments(Deno.args, verbs);
  const verb = verbs[args.verb];
  if (verb === undefined || args.switches.has("help")) {
    console.log(`${verb?.usage ?? ""}\n  ${verb?.help ?? ""}`);
    return exitCodes.done;
  }
  const choice = await chooseNode({
    node: args.values["node"],
    token: args.values["token"],
    environment: (name) => Deno.env.get(name),
    dataRoot: join(checkout, "data"),
  });
  const client = createApiClient({ ...choice, signal });
  try {
    return await verb.run({
      args,
      client,
      terminal: createTerminal({
        json: args.switches.has("json"),
        quiet: args.switches.has("quiet"),
      }),
      userFolder: Deno.env.get("SKYRING_CWD") ?? Deno.cwd(),
      signal,
      now: () => performance.now(),
    });
  } finally {
    client.close();
  }
}

function tellFailure(error: unknown, interrupted: boolean): ExitCode {
  if (interrupted) {
    console.error("skyring: interrupted");
    return exitCodes.interrupted;
  }
  const message = printable(messageOf(error));
  if (Deno.args.includes("--json")) {
    const problem = error instanceof CliFailure ? error.problem : undefined;
    console.log(JSON.stringify({ error: { message, ...problem } }));
  }
  console.error(`skyring: ${message}`);
  return error instanceof CliFailure ? error.exitCode : exitCodes.failed;
}

const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(name, () => interrupt.abort());
}
let code: ExitCode;
try {
  code = await run(interrupt.signal);
} catch (error) {
  // 128 + SIGPIPE, as a shell sees any other program that lost its reader.
  if (error instanceof ReaderGone) Deno.exit(141);
  code = tellFailure(error, interrupt.signal.aborted);
}
Deno.exit(code);
