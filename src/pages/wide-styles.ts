/**
 * What pages with a navigation bar look like beside what all pages share: a bar, cards, badges, forms, code to copy, and tables
 * that become cards on a phone.
 */
import { type Html, html } from './html.ts'

/** The second style element of such a page; it uses the colours of the first. */
export function wideStyleElement(nonce: string): Html {
  return html`<style nonce="${nonce}">
:root { --good: #1a7340; --warn: #8a5300; --bad: #b3261e; --tint: #eef1f6; }
@media (prefers-color-scheme: dark) { :root { --good: #6fcf97; --warn: #f0b35a; --bad: #ff8a80; --tint: #22262e; } }
body.wide { display: block; padding: 0 clamp(1rem, 4vw, 2.5rem) 3rem; }
body.wide > header, body.wide > main { width: 100%; max-width: 62rem; margin: 0 auto; }
body.wide > footer { max-width: 62rem; margin: 2.5rem auto 0; }
body.wide > main:focus { outline: none; }
body.wide bdi { font-weight: inherit; }
.skip { position: absolute; left: 1rem; top: -6rem; padding: .5rem 1rem; background: var(--card); border: 1px solid var(--control-line); border-radius: .5rem; z-index: 1; }
.skip:focus { top: .75rem; }
body.wide > header { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.5rem; padding: 1rem 0 0; border-bottom: 1px solid var(--line); }
.home { display: flex; align-items: center; gap: .625rem; min-height: 2.25rem; font-weight: 650; color: var(--text); text-decoration: none; }
.home svg { width: 1.75rem; height: 1.75rem; flex: none; color: var(--accent-text); }
.home img { display: block; max-width: 10rem; height: 2rem; object-fit: contain; }
.person { margin-left: auto; display: flex; flex-wrap: wrap; align-items: center; justify-content: flex-end; gap: 0 .875rem; font-size: .875rem; }
.person bdi { font-weight: 500; color: var(--quiet); }
.person a { padding: .375rem 0; }
nav { width: 100%; }
nav ul { display: flex; flex-wrap: wrap; gap: 0 1.5rem; margin: 0; padding: 0; list-style: none; }
nav a { display: block; padding: .625rem 0; border-bottom: 2px solid transparent; margin-bottom: -1px; color: var(--quiet); text-decoration: none; font-weight: 550; }
nav a:hover { color: var(--text); }
nav a[aria-current] { color: var(--text); border-bottom-color: var(--accent-line); }
.sub { margin: 0 0 1.5rem; font-size: .9375rem; }
.sub ul { gap: 0 1.25rem; }
.sub a { padding: .375rem 0; }
body.wide h1 { margin: 2rem 0 .375rem; font-size: 1.625rem; }
.lead { max-width: 46rem; margin: 0 0 1.5rem; color: var(--quiet); }
h2 { margin: 2.25rem 0 .75rem; font-size: 1.125rem; line-height: 1.35; font-weight: 650; }
h3 { margin: 0; font-size: 1rem; line-height: 1.4; font-weight: 650; }
.cards { display: grid; gap: 1rem; margin: 0; padding: 0; list-style: none; }
.card { padding: 1.25rem 1.375rem; background: var(--card); border: 1px solid var(--line); border-radius: .875rem; box-shadow: var(--shadow); }
.card > :last-child { margin-bottom: 0; }
.card[id] { scroll-margin-top: 1rem; }
.card:target { border-color: var(--accent-line); box-shadow: 0 0 0 1px var(--accent-line); }
.card .top { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem .75rem; margin-bottom: .25rem; }
.card h2, .card h3 { margin: 0; font-size: 1.0625rem; }
.card > h2 { margin-bottom: .875rem; }
.card > p { margin: 0 0 .5rem; }
.card .name { color: var(--quiet); font-size: .875rem; }
.badges { display: flex; flex-wrap: wrap; gap: .375rem; margin-left: auto; padding: 0; }
.badge { display: inline-flex; align-items: center; gap: .375rem; padding: .0625rem .625rem; border: 1px solid var(--line); border-radius: 999px; background: var(--tint); color: var(--text); font-size: .8125rem; font-weight: 550; white-space: nowrap; }
.badge::before { content: ""; width: .5rem; height: .5rem; border-radius: 50%; background: var(--control-line); flex: none; }
.badge.good::before { background: var(--good); }
.badge.warn::before { background: var(--warn); }
.badge.bad::before { background: var(--bad); }
.badge.plain::before { display: none; }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: .625rem; margin: 1rem 0 0; }
.row form { margin: 0; }
.row.tight { margin: 0; justify-content: flex-end; }
.row + .lead { margin-top: 2rem; }
body.wide .button { width: auto; min-height: 2.5rem; padding: .375rem 1rem; font-size: .9375rem; }
body.wide .button.small { min-height: 2rem; padding: .125rem .75rem; font-size: .875rem; }
.button.danger { border-color: var(--bad); color: var(--bad); }
.button.danger.primary { background: var(--bad); color: var(--card); }
.button[hidden] { display: none; }
.address { display: flex; align-items: center; gap: .5rem; margin: .75rem 0; }
.address code { flex: 1; min-width: 0; padding: .4375rem .75rem; background: var(--tint); border: 1px solid var(--line); border-radius: .5rem; font-size: .8125rem; overflow-wrap: anywhere; }
.code { display: flex; align-items: flex-start; gap: .5rem; margin: .5rem 0 1.25rem; padding: .5rem; background: var(--tint); border: 1px solid var(--line); border-radius: .625rem; }
.code pre { flex: 1; min-width: 0; margin: 0; padding: .375rem .5rem; font-size: .8125rem; line-height: 1.6; white-space: pre-wrap; overflow-wrap: anywhere; }
.code pre code { font-size: inherit; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: .75rem 0 0; font-size: .9375rem; }
dl.facts dt { color: var(--quiet); }
dl.facts dd { margin: 0; min-width: 0; }
dl.facts ul { margin: 0; padding: 0; list-style: none; }
dl.facts code { color: var(--quiet); font-size: .8125rem; }
.note-box { margin: 1rem 0; padding: .75rem 1rem; border: 1px solid var(--line); border-inline-start: .25rem solid var(--accent-line); border-radius: .5rem; background: var(--card); }
.note-box.good { border-inline-start-color: var(--good); }
.note-box.warn { border-inline-start-color: var(--warn); }
.note-box.bad { border-inline-start-color: var(--bad); }
.note-box > :last-child { margin-bottom: 0; }
.empty { padding: 2rem 1.5rem; text-align: center; color: var(--quiet); background: var(--card); border: 1px dashed var(--control-line); border-radius: .875rem; }
.empty > :last-child { margin-bottom: 0; }
.fields { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .875rem 1rem; align-items: start; }
.field { display: flex; flex-direction: column; gap: .25rem; min-width: 0; }
.field label { font-size: .875rem; font-weight: 600; }
.field .hint { color: var(--quiet); font-size: .8125rem; }
input[type=text], select { width: 100%; min-height: 2.5rem; padding: .375rem .75rem; border: 1px solid var(--control-line); border-radius: .5rem; background: var(--card); color: var(--text); font: inherit; }
input[aria-invalid=true] { border-color: var(--bad); }
.problem { color: var(--bad); font-weight: 600; }
table { width: 100%; border-collapse: collapse; font-size: .9375rem; }
.scroll { margin: 0 0 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .875rem; box-shadow: var(--shadow); }
.card .scroll { box-shadow: none; }
th { text-align: start; color: var(--quiet); font-size: .8125rem; font-weight: 600; }
th, td { padding: .625rem .875rem; border-bottom: 1px solid var(--line); vertical-align: top; }
tbody tr:last-child td { border-bottom: 0; }
td.end, th.end { text-align: end; }
td .button { display: inline-flex; white-space: nowrap; }
.findings > li { display: grid; grid-template-columns: 4.5rem minmax(0, 1fr); gap: .75rem; padding: .5rem 0; }
.findings > li + li { margin: 0; border-top: 1px solid var(--line); }
.findings .badge { justify-self: start; align-self: start; }
.hushed { color: var(--quiet); font-size: .875rem; }
.lines { list-style: none; }
ul.lines:not(.card) { margin: 0; padding: 0; }
ul.findings { margin: 0; padding-block: .625rem; }
.lines li + li { margin-top: .25rem; }
.visually-hidden { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
details { margin: .75rem 0 0; }
summary { cursor: pointer; font-weight: 550; }
@media (max-width: 44rem) {
  body.wide h1 { margin-top: 1.5rem; font-size: 1.375rem; }
  .person { margin-left: 0; width: 100%; justify-content: space-between; }
  .badges { margin-left: 0; width: 100%; }
  dl.facts { grid-template-columns: 1fr; gap: 0; }
  dl.facts dd + dt { margin-top: .5rem; }
  .scroll, .card .scroll { background: none; border: 0; border-radius: 0; box-shadow: none; }
  .row.tight { justify-content: flex-start; }
  table, tbody, tr, td { display: block; width: 100%; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { margin-bottom: .75rem; padding: .75rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .875rem; }
  th, td, td.end { padding: .1875rem 0; border: 0; text-align: start; }
  td[data-label] { display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); gap: .5rem; }
  td[data-label]::before { content: attr(data-label); color: var(--quiet); font-size: .8125rem; line-height: 1.9; font-weight: 600; }
  td.end { margin-top: .5rem; }
}
@media (forced-colors: active) {
  .badge::before { forced-color-adjust: none; }
}
</style>`
}
