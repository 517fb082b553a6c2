/** Scenario 4 (G10): the MCP server trusts the same identity provider, and gets the caller's own JWT. */
import type { Token } from '../ask.ts'
import { callTool } from '../mcp.ts'
import type { GatewayChapter } from './stage.ts'

export const passthrough: GatewayChapter = async ({ walk, tokens }) => {
  walk.chapter('G10 Scenario 4, passthrough: the caller’s JWT as it is; never a key of the gateway')
  const mine = (token: Token, expected: string) =>
    walk.onEach('G10', `my_orders of core/orders  Bearer <${token.name}>`, expected, (target) =>
      callTool(target, { server: 'core/orders', token }, 'my_orders'),
    )
  await mine(tokens.alice, '200 order 7 of alice@example.com')
  await mine(tokens.bob, '200 order 7 of bob@example.com')
  await mine(tokens.alicePersonal, '403 -32600')
}
