// What can be done with a file, as sheets: each says what will happen, shows the same as a
// command, and names the deed on its last button. A sheet is a dialog that the script opens;
// without script its address (#rename) shows it.

import type { Child } from "hono/jsx";
import { formatSize } from "../../shared/base/units.ts";
import { Command } from "./picture.tsx";
import type { FileRow } from "./pool_view.ts";
import { cliCommand } from "./words.ts";

/** All sheets of a file. */
export function FileSheets({ file, nodes }: { readonly file: FileRow; readonly nodes: number }) {
  return (
    <>
      <Sheet
        id="rename"
        title={`Rename ${file.name}?`}
        says="Only the name changes; no byte moves. A name that is taken is refused."
        file={file}
        deed="Rename"
        command={cliCommand("mv", [file.name, "NEW-NAME"])}
      >
        <NameField label="New name" value={file.name} />
      </Sheet>
      <Sheet
        id="copy"
        title={`Copy ${file.name}?`}
        says="A second name for the same content: it takes no room until one of them changes."
        file={file}
        deed="Copy"
        command={cliCommand("cp", [file.name, "NEW-NAME"])}
      >
        <NameField label="Name of the copy" value={copyName(file.name)} />
      </Sheet>
      <Sheet
        id="copies"
        title="How many copies?"
        says={`Each copy lies on another node, in another zone where there is one; ` +
          `there ${nodes === 1 ? "is 1 node" : `are ${nodes} nodes`} now.`}
        file={file}
        deed="Change"
        command={cliCommand("copies", [file.name, String(file.replicas.wanted)])}
      >
        <label class="field">
          <span>Copies of each block</span>
          <input
            class="input"
            type="number"
            name="replicas"
            min={1}
            max={9}
            required
            value={String(file.replicas.wanted)}
          />
        </label>
      </Sheet>
      <Sheet
        id="delete"
        title={`Delete ${file.name}?`}
        says={`The name goes at once, on every node. Its ${formatSize(file.size)} are freed ` +
          "after the keep time, when nothing else refers to them; until then it can come back."}
        file={file}
        deed="Delete"
        risky
        command={cliCommand("rm", [file.name])}
      />
    </>
  );
}

interface SheetProps {
  readonly id: string;
  readonly title: string;
  readonly says: string;
  readonly file: FileRow;
  readonly deed: string;
  readonly command?: string;
  readonly risky?: boolean;
  readonly children?: Child;
}

function Sheet({ id, title, says, file, deed, command, risky, children }: SheetProps) {
  return (
    <dialog class="sheet" id={id} aria-labelledby={`${id}-h`}>
      <form method="post" action={`/ui/file/${id}`}>
        <div class="sheet-head">
          <h2 class="sheet-title" id={`${id}-h`}>{title}</h2>
          <p>{says}</p>
        </div>
        <input type="hidden" name="name" value={file.name} />
        <input type="hidden" name="cid" value={file.cid} />
        {children !== undefined && <div class="sheet-body">{children}</div>}
        <div class="sheet-foot">
          {command !== undefined && <Command text={command} />}
          <a class="btn" href="#main" data-close>Keep as it is</a>
          <button type="submit" class={`btn ${risky === true ? "btn-risk" : "btn-main"}`}>
            {deed}
          </button>
        </div>
      </form>
    </dialog>
  );
}

function NameField({ label, value }: { readonly label: string; readonly value: string }) {
  return (
    <label class="field">
      <span>{label}</span>
      <input class="input" name="to" required maxlength={1024} value={value} autocomplete="off" />
    </label>
  );
}

/** `a/b.txt` becomes `a/b copy.txt`. */
function copyName(name: string): string {
  const slash = name.lastIndexOf("/") + 1;
  const dot = name.lastIndexOf(".");
  return dot > slash ? `${name.slice(0, dot)} copy${name.slice(dot)}` : `${name} copy`;
}
