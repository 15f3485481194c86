// A table as all pages have it. It may be wider than a phone: then its place scrolls, and a place
// that scrolls must have a name and be reached by the keyboard.

import type { Child } from "hono/jsx";

interface TableProps {
  /** What it lists, for those who do not see it. */
  readonly label: string;
  /** More classes of the table: how it looks on a phone. */
  readonly look?: string;
  /** Cells of its one head row. */
  readonly head: Child;
  /** Its rows. */
  readonly children?: Child;
}

/** A table in its place. */
export function Table({ label, look, head, children }: TableProps) {
  return (
    <div class="wrap" role="region" aria-label={label} tabindex={0}>
      <table class={look === undefined ? "table" : `table ${look}`}>
        <thead>
          <tr>{head}</tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
