// Journeys of sound, film and PDF: played from the pool and shown, seeking by ranges.

import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { until } from "../e2e/until.ts";
import { shoot, withPage } from "./chromium.ts";
import { storeFilm } from "./in_page.ts";
import { faults, put } from "./journey.ts";

/** Sound of three minutes: large enough that a seek must ask for another range. */
export const soundBytes = 32_000_000;

const filmSeconds = 90;

/** What is used of a media element. */
interface MediaState {
  readonly duration: number;
  readonly readyState: number;
  readonly seeking: boolean;
  currentTime: number;
}

/** PCM of 44,100 frames a second, two channels of 16 bits, with content in every block. */
export function wave(bytes: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(bytes);
  const view = new DataView(whole.buffer);
  const text = (at: number, word: string) => whole.set(new TextEncoder().encode(word), at);
  text(0, "RIFF");
  view.setUint32(4, bytes - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 2, true);
  view.setUint32(24, 44_100, true);
  view.setUint32(28, 176_400, true);
  view.setUint16(32, 4, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, bytes - 44, true);
  for (let at = 44; at + 2 <= bytes; at += 2) {
    view.setInt16(at, (at * 7 + (at >> 12)) % 2_000, true);
  }
  return whole;
}

export async function seek(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page, errors }) => {
    const ranges: string[] = [];
    page.on("request", (request) => {
      const { range } = request.headers();
      if (request.url().includes("long.wav") && range !== undefined) ranges.push(range);
    });
    await page.goto(`${base}/ui/file?name=sound%2Flong.wav`);
    const sound = page.locator("audio");
    const state = async () =>
      await sound.evaluate(
        ({ duration, readyState, currentTime, seeking }: MediaState) => ({
          duration,
          readyState,
          currentTime,
          seeking,
        }),
      );
    await until("the sound's length", async () => (await state()).duration > 170);
    await sound.evaluate((element: MediaState) => element.currentTime = 150);
    await until("the place asked for", async () => {
      const { currentTime, seeking, readyState } = await state();
      return currentTime >= 150 && !seeking && readyState >= 2;
    });
    const starts = ranges.map((range) => Number(/bytes=(\d+)-/.exec(range)?.[1] ?? 0));
    assert.ok(starts.some((start) => start > soundBytes / 2), `ranges asked: ${ranges.join()}`);
    assert.deepEqual(errors, []);
  });
}

/** A film is shown, and a seek shows another part without what lies between. */
export async function film(browser: Browser, base: string): Promise<void> {
  await withPage(browser, {}, async ({ page, errors }) => {
    const ranges: number[] = [];
    page.on("request", (request) => {
      const range = /bytes=(\d+)-/.exec(request.headers()["range"] ?? "")?.[1];
      if (request.url().includes("noise.webm")) ranges.push(Number(range ?? 0));
    });
    await page.goto(`${base}/ui/files`);
    const stored = { path: "/api/files/film/noise.webm", seconds: filmSeconds };
    const bytes = Number(await page.evaluate(`(${storeFilm})(${JSON.stringify(stored)})`));
    await page.goto(`${base}/ui/file?name=film%2Fnoise.webm`);
    const video = page.locator("video");
    const state = async () =>
      await video.evaluate(({ duration, readyState, currentTime, seeking }: MediaState) => ({
        ...{ duration, readyState, currentTime, seeking },
      }));
    await until("the film's length", async () => (await state()).duration === filmSeconds);
    const wanted = filmSeconds - 10;
    await video.evaluate((element: MediaState, to: number) => element.currentTime = to, wanted);
    await until("the place asked for", async () => {
      const { currentTime, seeking, readyState } = await state();
      return currentTime >= wanted && !seeking && readyState >= 2;
    });
    const far = ranges.filter((start) => start > bytes * .6);
    assert.ok(far.length > 0, `of ${bytes} bytes ranges from ${ranges.join()}`);
    assert.deepEqual(await faults(page), []);
    await shoot(page, "journey-film");
    assert.deepEqual(errors, []);
  });
}

/** A PDF is shown by the browser's own reader, which gets the file's bytes and no rights. */
export async function pdf(browser: Browser, base: string): Promise<void> {
  await put(base, "papers/one page.pdf", onePage());
  await withPage(browser, {}, async ({ page, errors }) => {
    await page.goto(`${base}/ui/file?name=papers%2Fone%20page.pdf`);
    await page.locator("iframe").scrollIntoViewIfNeeded();
    // The reader is an extension of the browser; a refused file would be an error page instead.
    await until("the reader", async () => {
      for (const frame of page.frames()) {
        const embeds = await frame.locator('embed[type="application/x-google-chrome-pdf"]').count();
        if (embeds > 0) return true;
      }
      return undefined;
    });
    const answer = await fetch(`${base}/ui/preview/papers/one%20page.pdf`);
    await answer.body?.cancel();
    assert.equal(answer.headers.get("content-type"), "application/pdf");
    assert.match(answer.headers.get("content-security-policy") ?? "", /^default-src 'none'/);
    await shoot(page, "journey-pdf");
    assert.deepEqual(errors, []);
  });
}

/** The smallest PDF of one page, its table of offsets right. */
function onePage(): Uint8Array<ArrayBuffer> {
  const content = "BT /F1 24 Tf 40 120 Td (Kept at three copies) Tj ET";
  const objects = [
    "<</Type/Catalog/Pages 2 0 R>>",
    "<</Type/Pages/Kids[3 0 R]/Count 1>>",
    "<</Type/Page/Parent 2 0 R/MediaBox[0 0 360 240]/Contents 4 0 R" +
    "/Resources<</Font<</F1 5 0 R>>>>>>",
    `<</Length ${content.length}>>stream\n${content}\nendstream`,
    "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
  ];
  let text = "%PDF-1.4\n";
  const offsets = objects.map((body, index) => {
    const at = text.length;
    text += `${index + 1} 0 obj${body}endobj\n`;
    return `${String(at).padStart(10, "0")} 00000 n \n`;
  });
  const start = text.length;
  text += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${offsets.join("")}` +
    `trailer<</Size ${objects.length + 1}/Root 1 0 R>>\nstartxref\n${start}\n%%EOF\n`;
  return new TextEncoder().encode(text);
}
