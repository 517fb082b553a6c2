/** Scenario 3 (G7, G12, G19): one key for everybody, which nobody sees; and a key of one's own in its place. */

import { callTool, type Talk } from '../mcp.ts'
import { ALICES_HUB_KEY } from '../upstreams/hub.ts'
import type { GatewayChapter } from './stage.ts'

export const sharedHeader: GatewayChapter = async ({ demo, walk, tokens }) => {
  const { alice, bob, carol, nightly } = tokens
  const search = (row: string, tried: string, talk: Omit<Talk, 'server'>, expected: string, server = 'data/hub') =>
    walk.onEach(row, tried, expected, (target) =>
      callTool(target, { server, ...talk }, 'search_dataset', { dataset: 'public/weather' }),
    )
  const byCompany = '200 3 rows of public/weather, by the key of the company'

  walk.chapter('G7  Scenario 3, a shared key: put in after the access check, never shown to callers')
  await search('G7', `search_dataset of data/hub  Bearer <${alice.name}>`, { token: alice }, byCompany)
  await search('G7', `search_dataset of data/hub  Bearer <${bob.name}>`, { token: bob }, byCompany)
  await search('G2', `search_dataset of data/hub  Bearer <${nightly.name}>`, { token: nightly }, byCompany)
  await search('G7', `search_dataset of data/hub  Bearer <${carol.name}>`, { token: carol }, '404 4040')
  const path = '/api/llm/mcp/hub/server'
  await search('G19', `search_dataset at ${path}  Bearer <${alice.name}>`, { token: alice, path }, byCompany)
  const before = demo.gateways.upstreams.hub.requests
  await search('G7', 'search_dataset of data/hub, no token', {}, '401 4010 Bearer resource_metadata')
  await walk.once('G7', 'requests to the hub that this caused', '0', () =>
    String(demo.gateways.upstreams.hub.requests - before),
  )

  walk.chapter('G12 x-tfy-mcp-headers: headers of the caller’s own for the MCP server')
  const own = (value: string) => ({ token: alice, headers: { 'x-tfy-mcp-headers': value } })
  const alicesKey = JSON.stringify({ Authorization: `Bearer ${ALICES_HUB_KEY}` })
  await search(
    'G12',
    '{"Authorization": "Bearer <alice’s own key>"}',
    own(alicesKey),
    '200 3 rows of public/weather, by the key of alice',
  )
  await search('G12', 'the same by carol, who may not use it', { ...own(alicesKey), token: carol }, '404 4040')
  await search('G12', '{"Authorization": (which is not JSON)', own('{"Authorization":'), '400 -32600')
}
