/** The style of the board's page: light and dark, from a phone to a wall. */
export const style = `
:root {
  color-scheme: light dark;
  --page: light-dark(#f6f5f1, #14171b); --card: light-dark(#ffffff, #1c2026); --edge: light-dark(#e4e1d9, #2d333c);
  --ink: light-dark(#20242a, #e8e6e1); --faint: light-dark(#5d6470, #a2a9b5);
  --orders: light-dark(#2b5cad, #8fb6ff); --payments: light-dark(#87489c, #d9a9ea);
  --good: light-dark(#1d6b4f, #74d3a3); --warn: light-dark(#9c4a00, #f3b06f);
  --orders-tint: light-dark(#edf2fb, #1a222f); --payments-tint: light-dark(#f7eff9, #261e2b);
  --round: 14px;
}
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.45 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif; font-variant-numeric: tabular-nums }
p, h1, h2, h3, dl, dd, ol, figure { margin: 0; padding: 0 }
ol { list-style: none }
small { font-size: 13px; color: var(--faint); font-weight: 400 }
code { font: 13px/1.4 ui-monospace, monospace; background: light-dark(#ebe8e0, #262b33); padding: 2px 6px; border-radius: 6px; overflow-wrap: anywhere }
a { color: inherit }
[hidden] { display: none !important }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
:focus-visible { outline: 3px solid var(--orders); outline-offset: 2px }
header, main, footer { max-width: 1180px; margin: 0 auto; padding: 0 20px }
header { display: flex; align-items: center; gap: 10px 14px; padding-block: 22px 18px; flex-wrap: wrap }
h1 { font-size: 21px; font-weight: 650; letter-spacing: -.02em; display: flex; align-items: center; gap: 9px; margin-right: auto }
h1 svg { width: 26px; fill: none; stroke: var(--good); stroke-width: 2.6; stroke-linecap: round; stroke-linejoin: round }
#status { color: var(--faint); display: flex; align-items: baseline; gap: 8px; font-size: 14px }
#status::before { content: ""; flex: none; width: 9px; height: 9px; border-radius: 50%; background: var(--faint) }
[data-state=live] #status::before { background: var(--good); animation: breathe 3s ease-in-out infinite }
[data-state=waiting] #status::before { background: var(--warn) }
@keyframes breathe { 50% { opacity: .35 } }
button { font: inherit; font-size: 14px; color: var(--ink); background: var(--card); border: 1px solid var(--edge); border-radius: 999px; padding: 7px 16px; cursor: pointer; min-height: 36px }
button:hover { border-color: var(--faint) }
h2 { font-size: 14px; font-weight: 600; color: var(--faint); margin: 34px 2px 12px }
footer { padding-block: 34px 44px; color: var(--faint); font-size: 13px }
footer a { margin-left: 10px }
#blind p { background: var(--card); border: 1px solid var(--warn); border-left-width: 5px; color: var(--warn); border-radius: var(--round); padding: 11px 16px; margin-bottom: 10px }

.now { background: var(--card); border: 1px solid var(--edge); border-radius: var(--round); overflow: hidden }
.now dl { display: grid; grid-template-columns: repeat(5, 1fr); padding: 20px 22px 10px; gap: 18px }
dt { font-size: 13px; color: var(--faint) }
dd b { display: block; font-size: 33px; line-height: 1.2; font-weight: 500; letter-spacing: -.03em; white-space: nowrap }
dd b::after { content: attr(data-unit); font-size: 14px; letter-spacing: 0; font-weight: 400; color: var(--faint); margin-left: 3px }
dd small { display: block; min-height: 19px }
.now .created dt::before, .now .settled dt::before { content: ""; display: inline-block; width: 12px; height: 8px; border-radius: 2px; margin-right: 7px; background: light-dark(#b9cdf0, #3a567f) }
.now .settled dt::before { background: var(--good); height: 3px; border-radius: 2px; vertical-align: 3px }
#letters.bad { color: var(--warn) }
#chart { display: block; width: 100%; height: 104px; overflow: visible }
#chart .created { fill: light-dark(#dde7f7, #27364f) }
#chart .settled { fill: none; stroke: var(--good); stroke-width: 2; vector-effect: non-scaling-stroke; stroke-linejoin: round }
figcaption { display: flex; justify-content: space-between; gap: 10px; padding: 7px 22px 9px; border-top: 1px solid var(--edge); font-size: 12px; color: var(--faint) }

.track ol { display: contents }
.lane { color: var(--orders); font-size: 13px; font-weight: 600 }
.lane.payments { color: var(--payments) }
.instances { color: var(--warn) }
.step { background: var(--card); min-width: 0; position: relative }
.step h3 { font-size: 15px; font-weight: 600; display: flex; align-items: center; gap: 9px }
.number { width: 23px; height: 23px; flex: none; border-radius: 50%; display: grid; place-items: center; font-size: 13px; color: var(--card); background: var(--orders) }
.payments .number { background: var(--payments) }
.step path { fill: none; stroke: var(--orders); stroke-width: 1.6; vector-effect: non-scaling-stroke; stroke-linejoin: round }
.payments path { stroke: var(--payments) }
.rate b { font-weight: 500; letter-spacing: -.02em; margin-right: 3px }
.text { font-size: 12.5px; line-height: 1.35; color: var(--faint) }
.note { font-size: 12.5px; color: var(--warn) }
.place { font-size: 12.5px; color: var(--faint); position: relative; min-width: 0 }
.place .depth { font-weight: 600 }
.place.filled .depth { color: var(--ink) }
.place svg { display: block; height: 4px; border-radius: 2px; background: var(--edge) }
.place rect { fill: var(--warn); transition: width .6s ease }
.place.blind { color: var(--warn) }
.place::after { content: ""; position: absolute }

@media (min-width: 901px) {
  .track { display: grid; grid-template-columns: minmax(0, 1fr) 92px minmax(0, 1fr) 116px minmax(0, 1fr) 92px minmax(0, 1fr); grid-template-rows: 42px auto 58px auto }
  .lane { border-radius: var(--round); padding: 12px 16px; display: flex; justify-content: space-between }
  .lane.orders { grid-area: 1 / 1 / 5 / 4; background: var(--orders-tint) }
  .lane.payments { grid-area: 1 / 5 / 5 / 8; background: var(--payments-tint) }
  .step { border: 1px solid var(--edge); border-radius: 12px; padding: 13px 15px 12px; margin: 0 14px }
  .step svg { display: block; width: 100%; height: 30px; margin: 4px 0 9px; overflow: visible; border-bottom: 1px solid var(--edge) }
  .rate b { font-size: 25px }
  .step.blind { border: 1px dashed var(--warn) }
  .place { text-align: center; align-self: center; padding: 6px 0 }
  .place .depth { font-size: 17px; display: block; line-height: 1.25 }
  .place svg { width: 52px; margin: 4px auto 3px }
  .place::after { right: 5px; top: 50%; width: 7px; height: 7px; border: solid var(--faint); border-width: 1.5px 1.5px 0 0; rotate: 45deg; translate: 0 -50% }
  #step-1 { grid-area: 2 / 1; margin-right: 0 } #place-1 { grid-area: 2 / 2 } #step-2 { grid-area: 2 / 3; margin-left: 0 }
  #place-2 { grid-area: 2 / 4 }
  #step-3 { grid-area: 2 / 5; margin-right: 0 } #place-3 { grid-area: 2 / 6 } #step-4 { grid-area: 2 / 7; margin-left: 0 }
  #place-4 { grid-area: 3 / 7; display: flex; gap: 8px; align-items: center; justify-content: center; padding-right: 14px }
  #place-4 .depth { display: inline } #place-4 svg { margin: 0; width: 40px }
  #place-4::after { right: auto; left: calc(50% - 11px); top: auto; bottom: -9px; rotate: 135deg }
  #step-5 { grid-area: 4 / 5 / 5 / 8; margin-bottom: 14px } #step-6 { grid-area: 4 / 1 / 5 / 4; margin-bottom: 14px }
  #place-5 { grid-area: 4 / 4 }
  #place-5::after { right: auto; left: 8px; rotate: -135deg }
}

#orders { background: var(--card); border: 1px solid var(--edge); border-radius: var(--round) }
#orders:empty { display: none }
#no-orders { color: var(--faint); margin: 0 2px }
.order { display: grid; grid-template-columns: minmax(0, 1.6fr) 110px 190px minmax(0, 1.5fr) minmax(0, 1.3fr); gap: 4px 20px; align-items: center; padding: 11px 20px; border-top: 1px solid var(--edge) }
.order:first-child { border-top: 0 }
.who { display: flex; gap: 10px; align-items: baseline; min-width: 0 }
.user { font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.id { font: 12.5px ui-monospace, monospace; color: var(--faint); flex-shrink: 4; min-width: 6ch; overflow: hidden; text-overflow: ellipsis }
.amount { text-align: right }
.dots { display: flex; align-items: center }
.dots i { flex: none; width: 13px; height: 13px; border-radius: 50%; border: 2px solid var(--edge); background: var(--card); margin-right: 17px; position: relative; transition: background .4s, border-color .4s }
.dots i + i::before { content: ""; position: absolute; right: calc(100% + 2px); top: 50%; width: 17px; height: 2px; translate: 0 -50%; background: var(--edge); transition: background .4s }
.dots .done { background: var(--orders); border-color: var(--orders) }
.dots .done:nth-child(n+3):nth-child(-n+5) { background: var(--payments); border-color: var(--payments) }
.dots i.done::before { background: var(--faint) }
[data-status=FINISHED] .dots .done:last-child { background: var(--good); border-color: var(--good) }
[data-status=CANCELED] .dots .done:last-child { background: var(--warn); border-color: var(--warn) }
.state { font-size: 13px; font-weight: 600; color: var(--faint) }
[data-status=FINISHED] .state { color: var(--good) } [data-status=CANCELED] .state { color: var(--warn) }
.took { font-size: 13px; color: var(--faint); text-align: right; white-space: nowrap }

#sign-in { max-width: 520px; margin: 7vh auto 0; background: var(--card); border: 1px solid var(--edge); border-radius: var(--round); padding: 26px 28px }
#sign-in h2 { margin: 0 0 8px; font-size: 19px; color: var(--ink) }
#sign-in form { display: grid; grid-template-columns: 1fr auto; gap: 8px 10px; margin-top: 18px }
#sign-in label, #sign-in form p { grid-column: 1 / -1; font-size: 14px }
#token-hint { color: var(--faint) } #token-hint code { display: inline-block } #token-error { color: var(--warn) } #token-error:empty { display: none }
input { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--faint); border-radius: 10px; padding: 8px 12px; min-width: 0 }
#sign-in button { background: var(--good); border-color: var(--good); color: light-dark(#fff, #0f1a15); font-weight: 600 }

@media (max-width: 900px) {
  header, main, footer { padding-inline: 14px }
  header { padding-block: 14px 12px }
  .now dl { grid-template-columns: 1fr 1fr; padding: 15px 16px 2px; gap: 10px 16px }
  .now dl div:nth-child(3) { grid-column: 1 / -1 }
  .now dl div:nth-child(3) dd { display: flex; gap: 12px; align-items: baseline }
  dd b { font-size: 29px }
  figcaption { padding-inline: 16px }
  .lane { display: none }
  .track ol { display: block; background: var(--card); border: 1px solid var(--edge); border-radius: var(--round); padding: 8px 0 }
  .step { display: grid; grid-template-columns: 1fr auto; padding: 5px 16px; align-items: center }
  .number { z-index: 1 }
  .rate b { font-size: 20px }
  .step svg, .place svg { display: none }
  .text, .note { grid-column: 1 / -1; padding-left: 32px } .note:empty { display: none }
  .place { display: flex; justify-content: space-between; padding: 2px 16px 2px 48px }
  .place .depth { font-size: 15px }
  .step::before, .place::before { content: ""; position: absolute; left: 26.5px; width: 2px; top: 0; bottom: 0; background: var(--edge) }
  #step-1::before { top: 16px } #step-6::before { bottom: auto; height: 16px }
  .place::after { left: 24px; top: 50%; width: 7px; height: 7px; border-radius: 50%; background: var(--edge); translate: 0 -50% }
  .place.filled::after { background: var(--warn) }
  .order { grid-template-columns: minmax(0, 1fr) auto; gap: 6px 14px; padding: 12px 16px }
  .way { grid-column: 1 / -1 }
}
@media (prefers-reduced-motion: reduce) { *, *::before { animation: none !important; transition: none !important } }
`;
