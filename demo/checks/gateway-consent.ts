/** Scenario 1 (G8, G13, G14, G16, B2): each user's own account at the MCP server, connected once in the browser. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { titleOf } from '../browser.ts'
import { giveConsent, openLink, type Who } from '../consent.ts'
import { eventually } from '../eventually.ts'
import { callTool, consentLink, endpointOf, initialize } from '../mcp.ts'
import type { Target } from '../servers.ts'
import type { GatewayChapter } from './stage.ts'

const server = 'dev/code'
const whoAliceIs: Who = { name: 'alice', integration: 'corp' }
const visit = '200 4011 Please visit: <link>'

export const consent: GatewayChapter = async ({ demo: { targets }, walk, tokens, newBrowser }) => {
  const [first] = targets
  if (first === undefined) return
  const { alice, alicePersonal, bob, nightly, aliceIdentity } = tokens
  const hers = { server, token: alicePersonal }

  walk.chapter('G8  Scenario 1, OAuth: a user’s own account, connected once; the answer to an agent says where')
  await walk.onEach('G16', `connect to ${server}  Bearer <${alicePersonal.name}>`, visit, (target) =>
    initialize(target, hers),
  )
  await walk.onEach('G16', '… and to her JWT', visit, (target) => initialize(target, { server, token: alice }))
  await walk.onEach('G21', `… and to bob, who may not use it`, '404 4040', (target) =>
    initialize(target, { server, token: bob }),
  )
  await walk.onEach('G16', '… and to the official client of MCP', 'Please visit: <link>', (target) =>
    connectOfficially(target, alicePersonal.jwt),
  )
  await walk.onEach('G16', 'an agent that tries again gets', 'the same link', async (target) => {
    const links = [await consentLink(target, hers), await consentLink(target, hers)]
    return links[0] === links[1] ? 'the same link' : 'another link'
  })

  const link = await consentLink(first, hers)
  await walk.once('B2', 'a chat program that looks at the link for a preview', visit, async () => {
    await fetch(link)
    return initialize(first, hers)
  })
  await walk.once('B2', 'bob opens her link and signs in as himself', '403', async () => {
    const page = await openLink(newBrowser(), link, { name: 'bob', integration: 'corp' })
    return String(page.status)
  })
  await walk.once('B2', '… and it is as it was', visit, () => initialize(first, hers))
  const hersAtHome = newBrowser()
  await walk.once(
    'G8',
    'alice opens it, signs in here and there, and allows it',
    '200 "Code is connected"',
    async () => {
      const page = await giveConsent(hersAtHome, link, whoAliceIs)
      return `${page.status} "${titleOf(page)}"`
    },
  )
  await walk.once('B2', 'the same link once more', '404', async () => String((await hersAtHome.open(link)).status))
  await walk.onEach('G8', `who_am_i of ${server}  Bearer <${alicePersonal.name}>`, '200 alice', (target) =>
    callTool(target, hers, 'who_am_i'),
  )
  await walk.onEach('G22', `who_am_i of ${server}  Bearer <${alice.name}>`, '200 alice', (target) =>
    callTool(target, { server, token: alice }, 'who_am_i'),
  )
  await walk.onEach('G13', 'her connections', 'dev/code connected', async ({ gateway }) =>
    (await gateway.connections.list(aliceIdentity)).map((each) => `${each.server} ${each.state}`).join(', '),
  )

  const its = { server, token: nightly }
  await walk.onEach(
    'G2',
    `connect to ${server}  Bearer <${nightly.name}>`,
    '200 4012 dev/code must be connected by a person: an owner of this virtual account.',
    (target) => initialize(target, its),
  )
  await walk.once('G2', '… which alice, an owner of it, does', '200 "Code is connected"', async () => {
    const url = await first.gateway.connections.connectUrl({ server, who: aliceIdentity, forVirtualAccount: 'nightly' })
    const page = await giveConsent(hersAtHome, url, whoAliceIs)
    return `${page.status} "${titleOf(page)}"`
  })
  await walk.onEach('G2', 'list_repositories  Bearer <nightly>', '200 alice/website, alice/notes', (target) =>
    callTool(target, its, 'list_repositories'),
  )
}

export const revoking: GatewayChapter = async ({ demo: { targets }, walk, tokens }) => {
  const [first] = targets
  walk.chapter('G13 A user ends a connection')
  const { aliceIdentity, alicePersonal, nightly } = tokens
  await walk.once('G13', `alice disconnects ${server}`, 'ended', async () =>
    (await first?.gateway.connections.revoke(aliceIdentity, server)) ? 'ended' : 'there was none',
  )
  await walk.onEach('G13', `who_am_i  Bearer <${alicePersonal.name}>, within seconds`, visit, (target) =>
    eventually('200 alice', () => callTool(target, { server, token: alicePersonal }, 'who_am_i')),
  )
  await walk.onEach('G14', 'the connection of the virtual account', '200 alice/website, alice/notes', (target) =>
    callTool(target, { server, token: nightly }, 'list_repositories'),
  )
}

/** What the official client says when it cannot connect. */
async function connectOfficially(target: Target, token: string): Promise<string> {
  const client = new Client({ name: 'demo', version: '1.0.0' })
  const transport = new StreamableHTTPClientTransport(new URL(endpointOf(target, { server })), {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  })
  try {
    await client.connect(transport)
    return 'connected'
  } catch (error) {
    const { data } = error as { data?: unknown }
    return typeof data === 'string' ? data.replace(/https?:\S+/g, '<link>') : String(error)
  } finally {
    await client.close()
  }
}
