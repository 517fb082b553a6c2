/** D4, B8: everything is in the database, sealed. A gateway that is opened again asks nobody for consent again. */
import { callTool } from '../mcp.ts'
import { readDatabase } from './gateway-callers.ts'
import type { GatewayChapter } from './stage.ts'

export const restart: GatewayChapter = async ({ demo: { gateways, targets }, walk, tokens }) => {
  const { alicePersonal, carol, nightly } = tokens
  walk.chapter('D4  All gateways are closed and opened again on the same SQLite file')
  const before = targets.map(({ gateway }) => gateway)
  await gateways.restart()
  await walk.onEach('D4', 'the gateway is', 'another one', async ({ gateway }) =>
    before.includes(gateway) ? 'the same' : 'another one',
  )
  const whoAmI = (token: typeof carol, expected: string) =>
    walk.onEach('G8', `who_am_i of dev/code  Bearer <${token.name}>`, expected, (target) =>
      callTool(target, { server: 'dev/code', token }, 'who_am_i'),
    )
  await whoAmI(alicePersonal, '200 alice')
  await whoAmI(carol, '200 carol')
  await walk.onEach('G2', 'list_repositories  Bearer <nightly>', '200 alice/website, alice/notes', (target) =>
    callTool(target, { server: 'dev/code', token: nightly }, 'list_repositories'),
  )
  await walk.once('B8', 'JWTs to be read in the database, which has three connections', '0', async () => {
    const text = (await readDatabase(gateways.file)).toString('latin1')
    return String(text.match(/\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]+/g)?.length ?? 0)
  })
}
