// The ring as a file of its own: outside the dashboard there is no style sheet, so the few rules
// that it needs go with it. The values are those of web/static/style.css.

const rules = `
svg{--track:#dfe2e8;--ink:#171e33;--ink-2:#444d66;--ink-3:#5d667d;--line:#777e8f;--chart:#dadfe8;
--sky:#edeff3;--held:#12836a;--wanted:#b47200;--risk:#cc3d14;--off:#747c8e;background:var(--sky);
font-family:system-ui,sans-serif}
@media (prefers-color-scheme:dark){svg{--track:#1d2638;--ink:#e9ecf4;--ink-2:#b3bbcf;
--ink-3:#8f99b3;--line:#6b7795;--chart:#161e30;--sky:#090d17;--held:#3cb99a;--wanted:#e5b04a;
--risk:#ff7d57;--off:#69748f}}
.is-held{--tone:var(--held)}.is-wanted{--tone:var(--wanted)}.is-risk{--tone:var(--risk)}
.is-off{--tone:var(--off)}.gs{fill:var(--tone)}
.gl{fill:none;stroke:var(--tone);stroke-width:1.7;stroke-linecap:round;stroke-linejoin:round}
.gdot{stroke-dasharray:.1 3.2;stroke-width:2}.gdash{stroke-dasharray:3 2.2}.gx{stroke-width:2.4}
.chart{fill:none;stroke:var(--chart)}.band{fill:none;stroke:var(--track)}
.fill{fill:none;stroke:var(--held)}.fill.is-off{stroke:var(--off)}
.fill-away{stroke-dasharray:2 2.4}.fill-away.is-risk{stroke:var(--risk)}
.fill-wanted{stroke:var(--wanted);stroke-dasharray:1.6 1.6}
.t{fill:none;stroke-dasharray:.46 .54;stroke-dashoffset:-.27}
.t3{stroke:var(--held);stroke-width:5}.t2{stroke:var(--wanted);stroke-width:9}
.t1{stroke:var(--risk);stroke-width:13}
.t0{stroke:var(--risk);stroke-width:17;stroke-dasharray:.16 .14 .16 .54}
.edge,.stem,.lead{fill:none;stroke:var(--line)}.edge-cut{stroke-dasharray:2 4}.lead{stroke-width:.8}
.hit{fill:none}.mark{fill:none;stroke:var(--ink);stroke-width:1.3}
text{fill:var(--ink);font-variant-numeric:tabular-nums}.ring-name{font-size:13px;font-weight:550}
.ring-note{font-size:11px;fill:var(--tone,var(--ink-3))}.centre text{text-anchor:middle}
.ring-many .ring-name{font-size:10px}.centre-big{font-size:31px;font-weight:600}
.centre-small{font-size:12px;fill:var(--ink-2)}`;

/** A drawn ring as a whole SVG document. @throws never */
export function standalone(ring: string): string {
  const open = ring.indexOf(">") + 1;
  const head = ring.slice(0, open).replace("<svg", `<svg xmlns="http://www.w3.org/2000/svg"`);
  return `${head}<style>${rules}</style>${ring.slice(open)}`;
}
