/**
 * How the pages look: one style sheet for all of them, light and dark. Text and controls keep the contrast of
 * WCAG 2.2 AA in both, whatever the brand's colour is.
 */
import { inkOn, readableOn } from './colours.ts'
import { type Html, html } from './html.ts'

const DEFAULT_ACCENT = '#2f5fd0'
const LIGHT = { page: '#f3f4f7', card: '#ffffff' }
const DARK = { page: '#101216', card: '#191c22' }

/** The style element. `accent` is a colour as `isColour` wants it. */
export function styleElement(nonce: string, accent: string = DEFAULT_ACCENT): Html {
  return html`<style nonce="${nonce}">
:root {
  color-scheme: light dark;
  --page: ${LIGHT.page};
  --card: ${LIGHT.card};
  --text: #1a1d23;
  --quiet: #5a6170;
  --line: #dfe2e8;
  --control-line: #858c9a;
  --control-hover: #f5f6f9;
  --shadow: 0 1px 2px rgb(16 20 30 / .05), 0 12px 32px -8px rgb(16 20 30 / .12);
  --accent: ${accent};
  --on-accent: ${inkOn(accent)};
  --accent-line: ${readableOn(LIGHT.card, accent, 3)};
  --accent-text: ${readableOn(LIGHT.page, accent, 4.5)};
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: ${DARK.page};
    --card: ${DARK.card};
    --text: #e9ebef;
    --quiet: #a0a7b4;
    --line: #2b2f38;
    --control-line: #747c8b;
    --control-hover: #22262e;
    --shadow: 0 1px 2px rgb(0 0 0 / .4), 0 12px 32px -8px rgb(0 0 0 / .5);
    --accent-line: ${readableOn(DARK.card, accent, 3)};
    --accent-text: ${readableOn(DARK.card, accent, 4.5)};
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0;
  min-height: 100vh;
  min-height: 100svh;
  display: flex;
  flex-direction: column;
  align-items: center;
  justify-content: center;
  gap: 1.5rem;
  padding: 2rem 1rem;
  background: var(--page);
  color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif;
  overflow-wrap: anywhere;
}
body:not(.wide) > header, body:not(.wide) > main, footer { width: 100%; max-width: 26rem; }
body:not(.wide) > header { display: flex; align-items: center; justify-content: center; gap: .75rem; font-weight: 600; }
header svg { width: 2rem; height: 2rem; flex: none; color: var(--accent-text); }
header img { display: block; max-width: 12rem; height: 2.25rem; object-fit: contain; }
body:not(.wide) > main {
  padding: 2rem;
  background: var(--card);
  border: 1px solid var(--line);
  border-radius: 1rem;
  box-shadow: var(--shadow);
}
footer { text-align: center; font-size: .875rem; }
h1 { margin: 0 0 .75rem; font-size: 1.375rem; line-height: 1.3; font-weight: 650; letter-spacing: -.01em; text-wrap: balance; }
p { margin: 0 0 .75rem; text-wrap: pretty; }
body:not(.wide) > main > :last-child { margin-bottom: 0; }
ol { margin: 0 0 .75rem; padding-left: 1.25rem; }
ol li { padding-left: .25rem; }
ol li + li { margin-top: .375rem; }
bdi { font-weight: 600; }
a { color: var(--accent-text); text-underline-offset: .2em; }
.quiet { color: var(--quiet); font-size: .875rem; }
code { font: .9375em ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; color: var(--text); }
.note { margin-top: 1.5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
.actions { display: flex; flex-direction: column; gap: .625rem; margin: 1.5rem 0 0; padding: 0; list-style: none; }
.button {
  display: flex;
  align-items: center;
  justify-content: center;
  gap: .75rem;
  width: 100%;
  min-height: 2.875rem;
  padding: .5rem 1rem;
  border: 1px solid var(--control-line);
  border-radius: .625rem;
  background: var(--card);
  color: var(--text);
  font: inherit;
  font-weight: 600;
  text-align: center;
  text-decoration: none;
  cursor: pointer;
  transition: background-color .12s, box-shadow .12s;
}
.button:hover { background: var(--control-hover); }
.button.primary { border-color: var(--accent-line); background: var(--accent); color: var(--on-accent); }
.button.primary:hover { box-shadow: 0 0 0 1px var(--accent-line), 0 4px 12px -2px rgb(16 20 30 / .3); }
.choice { justify-content: flex-start; text-align: start; }
.choice > span { flex: 1; }
.choice svg { width: 1.125rem; height: 1.125rem; flex: none; color: var(--quiet); }
:focus-visible { outline: 3px solid var(--accent-text); outline-offset: 2px; border-radius: .25rem; }
.button:focus-visible { border-radius: .625rem; }
@media (max-width: 30rem) {
  body:not(.wide) > main { padding: 1.5rem 1.25rem; }
}
@media (prefers-reduced-motion: reduce) {
  .button { transition: none; }
}
@media (forced-colors: active) {
  :focus-visible { outline-color: Highlight; }
}
</style>`
}
