/**
 * The page's style sheet. Colours of nodes are told apart by those who see fewer (after Okabe and
 * Ito), in light and in dark; each comes with a letter, and each level with a shape.
 */

export const PAGE_STYLE = `
:root{
  color-scheme:light dark; --paper:#f4f5f3; --card:#fff; --ink:#1b2326; --soft:#5a666b;
  --line:#dde1df; --accent:#0a7d74; --well:#0a7d5a; --watch:#9a5b00; --trouble:#c23616;
  --wash:#fbeee9; --wash-watch:#fdf5e3; --m0:#0072b2; --m1:#d55e00; --m2:#00825f; --m3:#b5488a;
  --m4:#a67c00; --m5:#3a93c9; --m6:#882255; --m7:#66727a; --on-mark:#fff;
}
@media (prefers-color-scheme:dark){
  :root{
    --paper:#12171a; --card:#1a2125; --ink:#e4e9ea; --soft:#9aa7ac; --line:#2d373c;
    --accent:#4fc3b5; --well:#4fc3a0; --watch:#f0b84a; --trouble:#ff8a66; --wash:#33211c;
    --wash-watch:#2f2919; --m0:#5aaee6; --m1:#f08a4b; --m2:#3fc79d; --m3:#e28bc0; --m4:#e2bd4f;
    --m5:#93d2f5; --m6:#d47aa4; --m7:#a9b5bc; --on-mark:#12171a;
  }
}
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:4rem}
@media (prefers-reduced-motion:reduce){
  html{scroll-behavior:auto}
}
body{
  margin:0; background:var(--paper); color:var(--ink);
  font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
  font-variant-numeric:tabular-nums;
}
header,.overview,main,footer,.connection{
  max-width:1360px; margin-inline:auto; padding-inline:clamp(12px,2.2vw,28px);
}
header{
  position:sticky; top:0; z-index:2; display:flex; flex-wrap:wrap; align-items:center;
  gap:4px 22px; padding-block:10px; background:color-mix(in srgb,var(--paper) 92%,transparent);
  backdrop-filter:blur(6px);
}
.brand{display:flex;align-items:center;gap:8px;font-weight:650;letter-spacing:-.01em;font-size:17px}
nav{display:flex;flex-wrap:wrap;gap:2px 14px}
a{color:var(--accent)}
nav a{color:var(--soft);text-decoration:none;padding:2px 0}
nav a:hover{color:var(--ink);text-decoration:underline}
.gathered{margin:0 0 0 auto;color:var(--soft);font-size:13px}
.skip{position:absolute;left:-999px}
.skip:focus{left:8px;top:8px;z-index:3;background:var(--card);padding:6px 10px}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
.connection{background:var(--wash-watch);padding-block:8px;margin-block:0}
.overview{padding-block:10px 18px}
.headline{
  font-size:clamp(24px,3.4vw,34px); line-height:1.2; font-weight:650; letter-spacing:-.02em;
  margin:6px 0 4px; display:flex; gap:.45em; align-items:baseline;
}
.headline .glyph{font-size:.72em}
.reasons{
  display:flex; flex-wrap:wrap; gap:0 22px; margin:0 0 4px; padding:0; list-style:none;
  color:var(--soft);
}
.reasons li::before{content:"— "}
.glyph{font-size:.85em}
.well{--level:var(--well)}
.watch,.pending{--level:var(--watch)}
.trouble{--level:var(--trouble)}
.glyph{color:var(--level)}
.tiles{
  display:grid; grid-template-columns:repeat(auto-fit,minmax(140px,1fr)); gap:1px;
  margin:16px 0 0; background:var(--line); border:1px solid var(--line); border-radius:10px;
  overflow:hidden;
}
.tile{background:var(--card);padding:10px 14px}
.tile dt{color:var(--soft);font-size:13px}
.tile dd{margin:0}
.tile b{font-size:24px;font-weight:600;letter-spacing:-.02em}
.tile small{color:var(--soft);font-size:12px;white-space:nowrap}
main{display:grid;gap:16px}
.card{
  background:var(--card); border:1px solid var(--line); border-radius:10px;
  padding:14px 18px 16px; min-width:0;
}
.columns{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:16px}
#requests{grid-template-columns:minmax(0,2fr) minmax(0,3fr)}
h2{font-size:16px;font-weight:650;margin:0 0 10px;letter-spacing:-.005em}
h3{font-size:13px;font-weight:600;color:var(--soft);margin:16px 0 6px}
h2+h3{margin-top:0}
p{margin:0 0 8px}
.empty{color:var(--soft)}
.failed{color:var(--trouble)}
small{color:var(--soft);font-size:12.5px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{
  padding:6px 8px; text-align:right; vertical-align:top; border-bottom:1px solid var(--line);
  font-weight:400; white-space:nowrap;
}
th:first-child,td:first-child{padding-left:0}
th:last-child,td:last-child{padding-right:0}
thead th{color:var(--soft);font-size:12.5px;white-space:normal;vertical-align:bottom}
tbody tr:last-child>*{border-bottom:0}
.text{text-align:left}
td.text{white-space:normal}
td.close,td.state{white-space:nowrap}
.state small{display:block}
.silent .reason{color:var(--level)}
.silent.trouble{background:var(--wash)}
.silent.trouble .text:first-child{padding-left:6px}
.old{color:var(--soft)}
.mark{--c:var(--m7);display:inline-flex;align-items:baseline;gap:6px;white-space:nowrap}
.mark b{
  display:inline-block; min-width:1.55em; padding:0 .3em; border-radius:4px;
  background:var(--mark,var(--m7)); color:var(--on-mark); font-size:11.5px; line-height:1.55;
  text-align:center; font-weight:700;
}
.c0{--mark:var(--m0)}
.c1{--mark:var(--m1)}
.c2{--mark:var(--m2)}
.c3{--mark:var(--m3)}
.c4{--mark:var(--m4)}
.c5{--mark:var(--m5)}
.c6{--mark:var(--m6)}
.c7{--mark:var(--m7)}
.c-none{--mark:var(--line)}
.gauge{display:inline-flex;flex-direction:column;align-items:flex-end;gap:3px}
.bar{width:48px;height:6px}
.bar .track{fill:var(--line)}
.bar .fill{fill:var(--soft)}
.bar.high .fill{fill:var(--trouble)}
.alerts,.moves,.legend,.served{list-style:none;margin:0;padding:0}
.alerts li{
  display:flex; flex-wrap:wrap; gap:2px 14px; align-items:baseline; padding:8px 12px;
  border-left:4px solid var(--level); background:var(--wash-watch); border-radius:0 6px 6px 0;
  margin-bottom:6px;
}
.alerts .trouble{background:var(--wash)}
.alerts .pending{background:none;border-left-style:dotted}
.alerts small{flex-basis:100%}
.alerts .mark{margin-right:8px}
.ring-area{display:grid;grid-template-columns:minmax(0,1fr) auto;gap:8px 22px;align-items:center}
.ring{width:100%;max-width:430px;display:block;margin:auto}
.ring path{fill:var(--mark)}
.ring .faint path{opacity:.18}
.ring .letter{
  fill:var(--on-mark); font-size:9.5px; font-weight:700; text-anchor:middle;
  dominant-baseline:central; pointer-events:none;
}
.ring .letter.faint{opacity:.3}
.ring .hatch{fill:var(--card);opacity:.75}
.ring path.hatched{fill:url(#hatch)}
.ring .move text{
  fill:var(--on-mark); font-size:8.5px; font-weight:700; text-anchor:middle;
  dominant-baseline:central; pointer-events:none;
}
.ring .tick{fill:var(--soft);font-size:10px;text-anchor:middle;dominant-baseline:central}
.ring .middle{fill:var(--soft);font-size:13px;text-anchor:middle}
.ring .middle.name{fill:var(--ink);font-size:22px;font-weight:650}
.ring .pointer{fill:var(--ink)}
.legend li{display:grid;grid-template-columns:1fr auto;gap:0 12px;align-items:baseline}
.legend small{grid-column:1/-1}
.legend button{
  border:0; background:none; color:inherit; font:inherit; padding:3px 6px; margin-left:-6px;
  border-radius:5px; cursor:pointer; text-align:left;
}
.legend button:hover{background:var(--paper)}
.legend button[aria-pressed=true]{box-shadow:inset 0 0 0 2px var(--accent)}
.legend b{font-weight:600}
.moves li{padding:5px 0;border-bottom:1px solid var(--line)}
.moves li:last-child{border:0}
.moves small{display:block}
progress{width:120px;height:9px;vertical-align:middle;accent-color:var(--accent)}
.plots{
  display:grid; grid-template-columns:repeat(auto-fill,minmax(min(100%,258px),1fr));
  gap:8px 22px;
}
figure{margin:0;min-width:0}
figcaption{font-size:13px;color:var(--soft);margin-bottom:2px}
.plot{display:block;width:100%;touch-action:pan-y}
.plot text{font-size:10px;fill:var(--soft)}
.plot .y{text-anchor:end}
.plot .x{text-anchor:middle}
.plot .x:first-of-type{text-anchor:end}
.plot .grid{stroke:var(--line)}
.plot .cursor{stroke:var(--ink);stroke-opacity:.45}
.plot .line{fill:none;stroke:var(--mark);stroke-width:1.6;stroke-linejoin:round}
.plot circle{fill:var(--mark)}
.plot .end{fill:var(--mark);font-weight:700}
.values{min-height:1.5em;font-size:12.5px;margin:0}
.values span{margin-right:8px;white-space:nowrap}
.values b{color:var(--mark)}
code{
  font:12.5px/1.4 ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;
  color:var(--soft);
}
code.key{color:var(--ink)}
form{display:flex;flex-wrap:wrap;gap:10px;align-items:end;margin-bottom:12px}
label{color:var(--soft);font-size:13px}
input,select,button{font:inherit;color:inherit}
input{display:block;font-size:15px;color:var(--ink);min-width:12em;max-width:100%}
input,select,main button:not(.legend button){
  background:var(--paper); border:1px solid var(--line); border-radius:6px; padding:5px 10px;
}
main button{cursor:pointer}
.served{display:flex;flex-wrap:wrap;gap:4px 22px;margin-bottom:10px}
footer{color:var(--soft);font-size:13px;padding-block:18px 30px}
@media (max-width:1000px){
  .columns,#requests{grid-template-columns:minmax(0,1fr)}
}
@media (max-width:640px){
  header{position:static}
  .gathered{margin:0;flex-basis:100%}
  .card{padding:12px 14px}
  .ring-area{grid-template-columns:minmax(0,1fr)}
  .tiles{grid-template-columns:repeat(2,1fr)}
  .tile:last-child:nth-child(odd){grid-column:1/-1}
  .cards thead{position:absolute;left:-9999px}
  .cards,.cards tbody{display:block}
  .cards tr{
    display:grid; grid-template-columns:repeat(2,minmax(0,1fr)); gap:3px 14px; padding:10px 0;
    border-bottom:1px solid var(--line);
  }
  .cards tr:last-child{border:0}
  .cards tr.silent{padding-inline:8px}
  .cards .silent.trouble .text:first-child{padding-left:0}
  .cards td[data-label=Ring]{grid-column:1/-1}
  .cards th,.cards td{border:0;padding:0;text-align:left;white-space:normal}
  .cards th,.cards .state,.cards .reason{grid-column:1/-1}
  .cards td[data-label]:not(.state)::before{
    content:attr(data-label); display:block; color:var(--soft); font-size:12px;
  }
  .gauge{align-items:flex-start}
}
@media print{
  header{position:static}
  .card{break-inside:avoid}
}
`;
