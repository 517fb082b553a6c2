/** What the doctor finds of a server: asked by a button, since it sends requests there. */
import { SallyportError } from '../core/errors.ts'
import type { Reply } from '../http/gate.ts'
import { type Html, html } from '../pages/html.ts'
import { administered, forAdmins, serverChoice } from './admin-parts.ts'
import type { PortalParts, PortalRoute, ServerReport, Visit } from './parts.ts'
import { badge, copyBlock, csrfField, show } from './view.ts'

/** The page, and its button. */
export function checkRoutes(parts: PortalParts): PortalRoute[] {
  const { path, gateway } = parts

  async function page(visit: Visit, report?: ServerReport): Promise<Reply> {
    const own = (await administered(visit)).filter(({ kind }) => kind === 'server')
    const body = html`${
      own.length === 0
        ? html`<div class="empty"><p>You administer virtual servers only. What is checked are the servers that they are made of.</p></div>`
        : html`<form class="card" method="post" action="${`${path}/admin/checks`}" autocomplete="off">
${csrfField(visit)}
<div class="fields">
${serverChoice(own, report?.server ?? visit.query.get('server'))}</div>
<div class="row"><button class="button primary" type="submit">Check it</button></div>
</form>`
    }${report !== undefined && findings(report)}`
    const lead =
      'Looks at a server from outside: whether it can be reached, how it wants to be authorized to, and what is odd about that. It sends nothing secret, and changes nothing.'
    return show(parts, visit, { title: 'Check a server', section: 'checks', lead, body })
  }

  async function check(visit: Visit): Promise<Reply | undefined> {
    const server = (await administered(visit)).find(
      ({ kind, name }) => kind === 'server' && name === visit.form.get('server'),
    )
    if (server === undefined) return undefined
    try {
      return await page(visit, await gateway.doctor(server.name))
    } catch (error) {
      // Taken away meanwhile.
      if (error instanceof SallyportError && error.code === 'ERR_UNKNOWN_SERVER') return undefined
      throw error
    }
  }

  return forAdmins([{ path: /^\/admin\/checks$/, get: (visit) => page(visit), post: check }])
}

const VERDICTS = {
  good: badge('Nothing is wrong', 'good'),
  attention: badge('It works, with oddities', 'warn'),
  bad: badge('It does not work like this', 'bad'),
} as const
const LEVELS = { good: badge('Fine', 'good'), odd: badge('Odd', 'warn'), bad: badge('Bad', 'bad') } as const

function findings({ server, verdict, findings: found, suggestion }: ServerReport): Html {
  return html`<section aria-labelledby="findings">
<h2 id="findings">${server} ${VERDICTS[verdict]}</h2>
<ul class="card lines findings" role="list">
${found.map(({ level, message }) => html`<li>${LEVELS[level]} <bdi>${message}</bdi></li>\n`)}</ul>
${suggestion !== undefined && html`<h3>Put into its configuration</h3>\n${copyBlock('suggestion', 'the suggestion', JSON.stringify(suggestion, null, 2))}`}</section>`
}
