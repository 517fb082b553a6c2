/** The document that the demo's own pages share: a card on a plain ground, light and dark. */

/** `text` as it may stand between tags and in quoted attributes. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** A whole page. `body` is markup; `accent` is a colour that white text can be read on. */
export function documentOf(title: string, accent: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${escaped(title)}</title>
<style>
  :root { --accent: ${accent}; --ground: #f3f4f7; --card: #fff; --ink: #1b2130; --quiet: #5d6678; --line: #d5d9e2 }
  @media (prefers-color-scheme: dark) {
    :root { --ground: #14171e; --card: #1e232d; --ink: #e8ebf1; --quiet: #a2abbc; --line: #3a4252 }
  }
  * { box-sizing: border-box }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
    background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
  main { width: min(30rem, 100%); padding: 2rem; border-radius: .75rem; border-top: .3rem solid var(--accent);
    background: var(--card); box-shadow: 0 .1rem .8rem rgb(0 0 0 / .12) }
  h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.25 }
  p { margin: 0 0 1rem }
  p:has(+ h1) { margin: 0 }
  main > :last-child { margin-bottom: 0 }
  .quiet, dt { color: var(--quiet); font-size: .875rem }
  .alert { padding: .5rem .75rem; border-left: .2rem solid #c62828; background: rgb(198 40 40 / .1) }
  label { display: block; margin-bottom: 1rem; font-weight: 600 }
  input { display: block; width: 100%; margin-top: .25rem; padding: .5rem .75rem; border: 1px solid var(--line);
    border-radius: .4rem; background: var(--card); color: var(--ink); font: inherit; font-weight: 400 }
  dl { margin: 0 0 1.5rem; display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem; align-items: baseline }
  dd { margin: 0; overflow-wrap: anywhere }
  .actions { display: flex; flex-wrap: wrap; gap: .5rem }
  .actions > * { padding: .5rem .8rem; border: 1px solid var(--line); border-radius: .4rem; background: none;
    color: var(--ink); font: inherit; text-decoration: none; cursor: pointer }
  .actions > .primary { border-color: var(--accent); background: var(--accent); color: #fff }
</style>
<main>
${body}
</main>
</html>
`
}
