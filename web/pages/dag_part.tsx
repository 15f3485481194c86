// How a file of several blocks hangs together: its DAG as a picture, and the same in words.

import { dag, dagLevels } from "../charts/dag.ts";
import { formatBinarySize } from "../../shared/base/units.ts";
import type { FileView } from "./file_view.ts";
import { Picture } from "./picture.tsx";
import { counted, listed, whole } from "./words.ts";

/** The picture with its caption. */
export function DagPart({ view }: { readonly view: FileView }) {
  const { file, from, links, pieces, nodes } = view;
  const replicas = Math.min(file.replicas.wanted, Math.max(1, nodes.size));
  const shape = { leaves: file.blocks, links };
  const words = levelWords(dagLevels(shape));
  return (
    <section aria-labelledby="dag" class="block">
      <h2 class="rule" id="dag">
        How it hangs together <small>{words}</small>
      </h2>
      <Picture
        svg={dag({
          ...shape,
          replicas,
          from,
          copies: pieces.map(({ holders }) => holders.length),
          label: `The file's tree: ${words}`,
        })}
      />
      <p class="caption">
        Each block is named by its hash, and an inner block lists the hashes of up to {whole(links)}
        {" "}
        below it, so one hash vouches for every byte. Leaves hold{" "}
        {formatBinarySize(file.chunkBytes)}{" "}
        and lie on their owners; inner blocks are small and lie on every node.
      </p>
    </section>
  );
}

function levelWords(levels: readonly number[]): string {
  const inner = levels.slice(1, -1).map((count) => counted(count, "inner block"));
  return listed([
    "a root",
    ...inner,
    counted(levels.at(-1) ?? 1, "leaf").replace("leafs", "leaves"),
  ]);
}
