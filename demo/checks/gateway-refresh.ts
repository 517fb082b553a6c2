/** G9, B1: tokens are refreshed with no action by the user, and a rotating refresh token is redeemed once for all replicas. */
import { callTool } from '../mcp.ts'
import { CODE_SECONDS } from '../servers.ts'
import type { GatewayChapter } from './stage.ts'

const server = 'dev/code'
const AT_ONCE = 5

export const refreshing: GatewayChapter = async ({ demo: { gateways, targets }, walk, tokens }) => {
  walk.chapter(
    `G9  Tokens of ${server} last ${CODE_SECONDS} seconds; refresh tokens are good once, and their second use ends them all`,
  )
  const [first] = targets
  const connections = (await first?.gateway.connections.list(tokens.aliceIdentity)) ?? []
  await walk.waitUntil(Math.max(0, ...connections.map(({ expiresAt = 0 }) => expiresAt)) + 1_000)
  const before = refreshes()
  await walk.onEach('G9', `${AT_ONCE} calls of alice at once`, `${AT_ONCE} × 200 alice`, async (target) => {
    const call = () => callTool(target, { server, token: tokens.alicePersonal }, 'who_am_i')
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, call))
    return [...new Set(answers)]
      .map((answer) => `${answers.filter((each) => each === answer).length} × ${answer}`)
      .join(', ')
  })
  await walk.once('B1', 'refreshes that this took, for four gateways', '1', () => String(refreshes() - before))

  function refreshes(): number {
    return gateways.audit.filter((event) => event.type === 'connection' && event.kind === 'refreshed').length
  }
}
