/**
 * G5: one endpoint over servers with a shared key, with accounts of people's own, and with the caller's JWT. Bob has a role on the
 * virtual servers and none on `dev/code` behind them: that is enough.
 */
import { titleOf } from '../browser.ts'
import { giveConsent } from '../consent.ts'
import { callTool, consentLinks, initialize, list, type Talk } from '../mcp.ts'
import { ALICES_HUB_KEY } from '../upstreams/hub.ts'
import type { GatewayChapter } from './stage.ts'

const server = 'team/assistant'
const anything = 'team/anything'
const ALL = 'find_rows code_who_am_i code_list_repositories reviewer my_orders'

export const virtualServers: GatewayChapter = async ({ demo: { targets }, walk, tokens, newBrowser }) => {
  const [first] = targets
  if (first === undefined) return
  const { bob, carol } = tokens
  const his: Talk = { server, token: bob }
  const any: Talk = { server: anything, token: bob }
  const call = (row: string, talk: Talk, tool: string, expected: string, tried = `${tool} of ${talk.server}`) =>
    walk.onEach(row, `${tried}  Bearer <${bob.name}>`, expected, (target) =>
      callTool(target, talk, tool, tool === 'find_rows' ? { dataset: 'public/weather' } : {}),
    )

  walk.chapter('G5  A virtual server: chosen tools of several servers, each called with that server’s own credential')
  await walk.onEach(
    'G5',
    `connect to ${server}, all consents that are missing`,
    '200 4011 Please visit: <link> , <link>',
    (target) => initialize(target, his),
  )
  await walk.onEach('G5', `connect to ${server}  Bearer <${carol.name}>`, '404 4040', (target) =>
    initialize(target, { server, token: carol }),
  )
  await walk.onEach(
    'G5',
    `tools of ${anything}, which asks for none: require: 'any'`,
    '200 find_rows my_orders',
    (target) => list(target, any, 'tools'),
  )
  await call('G5', any, 'my_orders', '200 order 7 of bob@example.com')
  await call('G5', any, 'code_who_am_i', '200 4011 Please visit: <link>')

  const browser = newBrowser()
  const [one = '', two = ''] = await consentLinks(first, his)
  const allow = (row: string, link: string, label: string) =>
    walk.once('G5', row, `200 "${label} is connected"`, async () => {
      const page = await giveConsent(browser, link, { name: 'bob', integration: 'corp' })
      return `${page.status} "${titleOf(page)}"`
    })
  await allow('bob opens the first link and allows it', one, 'Code')
  await walk.onEach('G5', 'an agent that tries again gets what is left', '200 4011 Please visit: <link>', (target) =>
    initialize(target, his),
  )
  await allow('… and the second', two, 'Review')

  await walk.onEach(
    'G5',
    `tools of ${server}: a prefix, a rename, and no more than was chosen`,
    `200 ${ALL}`,
    (target) => list(target, his, 'tools'),
  )
  await walk.onEach('G5', `prompts of ${server}`, '200 summarise', (target) => list(target, his, 'prompts'))
  await call('G7', his, 'find_rows', '200 3 rows of public/weather, by the key of the company')
  await call('G8', his, 'code_who_am_i', '200 bob')
  await call('G8', his, 'code_list_repositories', '200 bob/website, bob/notes')
  await call('G8', his, 'reviewer', '200 bob')
  await call('G10', his, 'my_orders', '200 order 7 of bob@example.com')
  await call('G5', his, 'code_delete_repository', '200 -32602')
  await call('G21', { server: 'dev/code', token: bob }, 'who_am_i', '404 4040')

  const own = (value: object): Talk => ({ ...his, headers: { 'x-tfy-mcp-headers': JSON.stringify(value) } })
  const alicesKey = { Authorization: `Bearer ${ALICES_HUB_KEY}` }
  await call(
    'G12',
    own({ 'data/hub': alicesKey }),
    'find_rows',
    '200 3 rows of public/weather, by the key of alice',
    '{"data/hub": {"Authorization": "Bearer <a key of one’s own>"}}',
  )
  await call('G12', own(alicesKey), 'find_rows', '400 -32600', '… and in the form for one server')
}
