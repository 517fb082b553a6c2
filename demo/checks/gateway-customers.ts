/** Scenario 2 (G3, G8): people without an account here, with JWTs of their own identity provider, connect accounts of theirs. */
import { titleOf } from '../browser.ts'
import { giveConsent } from '../consent.ts'
import { callTool, initialize, list } from '../mcp.ts'
import type { GatewayChapter } from './stage.ts'

const server = 'dev/code'

export const customers: GatewayChapter = async ({ demo: { targets }, walk, tokens, newBrowser }) => {
  const [first] = targets
  if (first === undefined) return
  const { carol, dave } = tokens
  const hers = { server, token: carol }

  walk.chapter('G3  Scenario 2, end customers: a JWT of their own identity provider, mapped by its claims')
  await walk.onEach('G3', `connect to ${server}  Bearer <${dave.name}>`, '404 4040', (target) =>
    initialize(target, { server, token: dave }),
  )
  await walk.onEach('G16', `connect to ${server}  Bearer <${carol.name}>`, '200 4011 Please visit: <link>', (target) =>
    initialize(target, hers),
  )
  await walk.once('G8', 'the application starts the consent with her JWT', '200 "Code is connected"', async () => {
    const authorization = `Bearer ${carol.jwt}`
    const url = await first.gateway.connections.connectUrl({ server, who: { authorization } })
    const page = await giveConsent(newBrowser(), url, { name: 'carol', integration: 'customers' })
    return `${page.status} "${titleOf(page)}"`
  })
  await walk.onEach('G8', `who_am_i of ${server}  Bearer <${carol.name}>`, '200 carol', (target) =>
    callTool(target, hers, 'who_am_i'),
  )
  await walk.onEach('G14', '… and alice is still herself', '200 alice', (target) =>
    callTool(target, { server, token: tokens.alicePersonal }, 'who_am_i'),
  )
  await walk.onEach('G15', 'the tools that her grant names', '200 who_am_i list_repositories', (target) =>
    list(target, hers, 'tools'),
  )
}
