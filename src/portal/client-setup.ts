/** How to set up a client for one server: without a token of somebody's, which is shown once only, where it is made. */
import type { Reply } from '../http/gate.ts'
import { type Html, html } from '../pages/html.ts'
import { clientSettings } from './client-settings.ts'
import type { PortalParts, PortalRoute, Visit } from './parts.ts'
import { SERVER } from './path-parts.ts'
import { takesOwnToken } from './server-text.ts'
import { copyBlock, copyLine, show } from './view.ts'

/** What stands where a token belongs. */
const NO_TOKEN = 'YOUR_TOKEN'

/** The page. */
export function clientSetupRoutes(parts: PortalParts): PortalRoute[] {
  const { path } = parts

  async function setup(visit: Visit): Promise<Reply | undefined> {
    const server = (await visit.servers()).find(({ name }) => name === visit.params[0])
    if (server === undefined) return undefined
    const { name, label, kind, auth, urls, byKey } = server
    const [url = ''] = urls
    const tokenLink = html`<a class="button primary" href="${`${path}/tokens?server=${name}`}">Make a token with these settings filled in</a>`
    const body = html`${copyLine('url', `the address of ${label}`, url)}
${
  takesOwnToken(auth) || !byKey
    ? html`<p>Put a token of your own sign-in where it says <code>${NO_TOKEN}</code>. Access tokens that are made here do not work with this server.</p>\n`
    : html`<p>Put an access token of yours where it says <code>${NO_TOKEN}</code>. Where your identity provider lets clients sign you in themselves, those need the address only.</p>
<div class="row">${tokenLink}</div>\n`
}${settingsList(name, url, NO_TOKEN)}`
    const section = kind === 'virtual' ? 'virtual' : 'servers'
    return show(parts, visit, { title: `Set up a client for ${label}`, section, body })
  }

  return [{ path: new RegExp(`^/servers/${SERVER}/clients$`), get: setup }]
}

/** The settings for each client. */
export function settingsList(name: string, url: string, token: string): Html {
  return html`${clientSettings(name, url, token).map(
    ({ id, client, where, text }) => html`<section aria-labelledby="${`for-${id}`}">
<h2 id="${`for-${id}`}">${client}</h2>
<p class="hushed">${where}</p>
${copyBlock(`settings-${id}`, `the settings for ${client}`, text)}</section>\n`,
  )}`
}
