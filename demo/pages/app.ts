/** The page that people sign in to: who they are, and where they can go from there. */
import type { Auth } from 'sallyport'
import { documentOf, escaped } from './html.ts'

const ACCENT = '#3b4fc4'

/** What each route is about. */
const ABOUT: Readonly<Record<string, string>> = {
  app: 'Everybody who can sign in at Corp gets here.',
  'app admin': 'This part is for addresses at example.com in the group admin or dev-*.',
  me: 'Here the ID token of Branch counts. It lasts a few seconds: load the page again, and it has been refreshed.',
  customers: 'Here customers sign in, with accounts at Branch.',
}

/** The page of `server` at `url`. */
export function appPage(server: string, url: string, { route, subject = '', claims = {} }: Auth): string {
  const name = typeof claims.name === 'string' ? claims.name : subject
  const facts: [string, string][] = [
    ['Account', subject],
    ['E-mail', String(claims.email ?? '–')],
    ['Groups', [claims.groups ?? '–'].flat().join(', ')],
    ['Token for', [claims.aud ?? '–'].flat().join(', ')],
    ['Good until', typeof claims.exp === 'number' ? new Date(claims.exp * 1000).toLocaleTimeString('en-GB') : '–'],
    ['This page', url],
  ]
  return documentOf(
    `${name} – ${server}`,
    ACCENT,
    `<p class="quiet">A service on ${escaped(server)}</p>
<h1>Hello, ${escaped(name)}</h1>
<p>${escaped(ABOUT[route] ?? '')}</p>
<dl>
${facts.map(([what, value]) => `<dt>${what}</dt><dd>${escaped(value)}</dd>`).join('\n')}
</dl>
<nav class="actions">
<a href="/app/">Start</a>
<a href="/app/admin/">Admin part</a>
<a href="/me/">ID token</a>
<a class="primary" href="/.sallyport/sign-out">Sign out</a>
</nav>`,
  )
}
