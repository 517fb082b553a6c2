/** G23: servers, grants and virtual accounts that come and go while it runs. */
import type { Gateway } from 'sallyport/gateway'
import type { Token } from '../ask.ts'
import { callTool } from '../mcp.ts'
import type { GatewayChapter } from './stage.ts'

const server = 'public/sums'

export const changes: GatewayChapter = async ({ demo, walk, tokens }) => {
  const { gateways, targets } = demo
  walk.chapter('G23 A server, a grant and a virtual account are added while it runs, and taken away')
  const add = (token: Token, expected: string) =>
    walk.onEach('G23', `add(2, 3) of ${server}  Bearer <${token.name}>`, expected, (target) =>
      callTool(target, { server, token }, 'add', { a: 2, b: 3 }),
    )
  const everywhere = async (change: (gateway: Gateway) => Promise<unknown>) => {
    await Promise.all(targets.map(({ gateway }) => change(gateway)))
  }

  await add(tokens.alice, '404 4040')
  const { url } = gateways.upstreams.calculator
  await everywhere((gateway) => gateway.servers.set(server, { url, auth: { type: 'none' } }))
  await add(tokens.alice, '200 5')

  const [first] = targets
  if (first === undefined) return
  await first.gateway.virtualAccounts.create('visitor', { description: 'for an afternoon' })
  const { key } = await first.gateway.keys.create({ virtualAccount: 'visitor' }, { name: 'trial', ttlSeconds: 3600 })
  const visitor = { name: 'visitor', jwt: key }
  await add(visitor, '404 4040')
  const grant = { to: 'virtual-account:visitor', on: server, tools: ['add'] }
  await everywhere((gateway) => gateway.access.add(grant))
  await add(visitor, '200 5')
  await everywhere((gateway) => gateway.access.remove(grant))
  await add(visitor, '404 4040')
  await everywhere((gateway) => gateway.servers.remove(server))
  await add(tokens.alice, '404 4040')
}
