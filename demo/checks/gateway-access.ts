/** G4, G15, B9: what no grant gives is denied, and to those without a role it does not even exist. */
import { callTool, initialize, list } from '../mcp.ts'
import type { GatewayChapter } from './stage.ts'

export const access: GatewayChapter = async ({ walk, tokens }) => {
  const { alice, bob, carol, dave, nightly, aliceIdentity } = tokens
  walk.chapter('G4  Deny by default: a server that one may not use looks like one that is not there')
  const connect = (server: string, token = bob) =>
    walk.onEach('G4', `connect to ${server}  Bearer <${token.name}>`, '404 4040', (target) =>
      initialize(target, { server, token }),
    )
  await connect('dev/code')
  await connect('dev/nothing')
  await connect('public/calculator', dave)
  await connect('core/orders', carol)

  walk.chapter(
    'G15 Tools, prompts and arguments: what is not granted is left out of lists, and looks as if it were not there',
  )
  const hub = { server: 'data/hub', token: alice }
  const rows = '200 3 rows of public/weather, by the key of the company'
  await walk.onEach('G15', 'tools of data/hub that alice sees', '200 search_dataset', (target) =>
    list(target, hub, 'tools'),
  )
  await walk.onEach('G15', 'prompts of data/hub that she sees', '200 (nothing)', (target) =>
    list(target, hub, 'prompts'),
  )
  const call = (tool: string, dataset: string, expected: string) =>
    walk.onEach('G15', `${tool}(${dataset}) of data/hub  Bearer <${alice.name}>`, expected, (target) =>
      callTool(target, hub, tool, { dataset }),
    )
  await call('search_dataset', 'public/weather', rows)
  await call('search_dataset', 'secret/salaries', '200 -32602')
  await call('delete_dataset', 'public/weather', '200 -32602')
  await call('no_such_tool', 'public/weather', '200 -32602')
  await walk.onEach('G15', 'tools of public/calculator that she sees', '200 add', (target) =>
    list(target, { server: 'public/calculator', token: alice }, 'tools'),
  )

  walk.chapter('B9  Why: gateway.explain(who, server, tool)')
  const explain = (tried: string, expected: string, who: Parameters<typeof walk.onEach>[3]) =>
    walk.onEach('B9', tried, expected, who)
  await explain(
    'alice, data/hub, delete_dataset',
    'the caller has a role on "data/hub", but no grant that gives the tool "delete_dataset"',
    async ({ gateway }) => (await gateway.explain(aliceIdentity, 'data/hub', 'delete_dataset')).summary,
  )
  await explain(
    'nightly, core/orders, my_orders',
    'no grant to the caller is on "core/orders", so that to them there is no such server',
    async ({ gateway }) =>
      (await gateway.explain({ virtualAccount: nightly.name }, 'core/orders', 'my_orders')).summary,
  )
}
