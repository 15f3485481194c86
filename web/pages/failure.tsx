// A page that could not be made: what happened, and what to do.

import { Frame, type FrameView } from "./frame.tsx";
import { Notice } from "./picture.tsx";

/** The page for an error of a known kind; `message` says what happened. */
export function FailurePage(
  { frame, message, advice }: {
    readonly frame: FrameView;
    readonly message: string;
    readonly advice: string;
  },
) {
  return (
    <Frame view={frame} title="Not possible" page={null}>
      <main id="main" class="main on-page">
        <div class="head">
          <div>
            <h1>{message}.</h1>
            <p>{advice}</p>
          </div>
        </div>
        <Notice sign="looking">
          <p>Nothing was changed by this request.</p>
          <a class="btn" href="/">Overview</a>
        </Notice>
      </main>
    </Frame>
  );
}
