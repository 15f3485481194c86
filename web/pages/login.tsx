// The page that asks for the token. It tells a stranger nothing of the pool, and carries the style
// sheet inside, because no other address answers without a token.

import { raw } from "hono/html";
import { Command, Notice } from "./picture.tsx";

/** The whole document; `style` is our own style sheet, `wrong` whether a token was refused. */
export function LoginPage({ style, wrong }: { readonly style: string; readonly wrong: boolean }) {
  return (
    <>
      {raw("<!doctype html>")}
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          <title>Log in · Skyring</title>
          <style>{raw(style)}</style>
        </head>
        <body>
          <main class="login">
            <section class="login-box" aria-labelledby="login">
              {raw(ringMark)}
              <h1 id="login">A token opens this pool.</h1>
              {wrong && (
                <Notice sign="dead" tone="risk">
                  <p role="alert">
                    <b>That is not the token.</b>{" "}
                    It may have a space too many, or be another pool's.
                  </p>
                </Notice>
              )}
              <form method="post" action="/login">
                <label class="field">
                  <span>Token</span>
                  <input
                    class="input"
                    type="password"
                    name="token"
                    autocomplete="current-password"
                    required
                    autofocus
                  />
                </label>
                <button type="submit" class="btn btn-main">Log in</button>
              </form>
              <p class="caption">
                A node prints its token once, at its first start beyond this machine, and keeps it
                beside its data. There:
              </p>
              <Command text="cat data/*/token" />
            </section>
          </main>
        </body>
      </html>
    </>
  );
}

const ringMark = `<svg class="login-mark" viewBox="-12 -12 24 24" aria-hidden="true">` +
  `<circle r="9.2" fill="none" stroke="currentColor" stroke-width=".6"/>` +
  `<path d="M0 -9.2L8 4.6L-8 4.6z" fill="none" stroke="currentColor" stroke-width=".4" ` +
  `opacity=".6"/><g class="is-held"><circle class="gs" r="1.7" cy="-9.2"/>` +
  `<circle class="gs" r="1.7" cx="8" cy="4.6"/><circle class="gs" r="1.7" cx="-8" cy="4.6"/></g>` +
  `</svg>`;
