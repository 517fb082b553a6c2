/** G13, G1, G2: the gateway's own pages, in the browsers of alice and bob, who press their buttons. */
import type { Browser, Loaded } from '../browser.ts'
import { giveConsent, openLink, type Who } from '../consent.ts'
import { PAGES } from '../gateway.ts'
import { callTool } from '../mcp.ts'
import type { Target } from '../servers.ts'
import { describePage, oneEach } from './people.ts'
import type { GatewayChapter } from './stage.ts'

const alice: Who = { name: 'alice', integration: 'corp' }
const bob: Who = { name: 'bob', integration: 'corp' }

export const pages: GatewayChapter = async ({ demo: { targets }, walk, newBrowser }) => {
  const [first] = targets
  if (first === undefined) return
  const hers = oneEach(newBrowser)
  const his = oneEach(newBrowser)
  const open = (browser: Browser, { url }: Target, who: Who, path = '') =>
    openLink(browser, `${url}${PAGES}${path}`, who)

  walk.chapter(`G13 Pages for people: ${PAGES} on each server, without a line of the application's own`)
  await walk.onEach('G13', `alice opens ${PAGES} and signs in`, `200 "My MCP servers" ${PAGES}`, async (target) =>
    describePage(target, await open(hers(target), target, alice)),
  )
  await walk.onEach('G13', 'how her servers stand', 'Code: Connected, Review: Not connected', async (target) => {
    const page = await open(hers(target), target, alice)
    return `Code: ${stateOf(page, 'dev/code')}, Review: ${stateOf(page, 'dev/review')}`
  })
  await walk.onEach('G13', 'what bob sees of them', 'nothing', async (target) => {
    const { body } = await open(his(target), target, bob)
    return body.includes('My MCP servers') && !/dev\/(?:code|review)/.test(body) ? 'nothing' : 'something'
  })
  await walk.once('G13', 'alice presses Connect for Review, and allows it', 'Connected', async () => {
    const page = await open(hers(first), first, alice)
    const asked = await hers(first).submit(page, {}, `${PAGES}/servers/dev/review/connect`)
    return stateOf(await giveConsent(hers(first), asked.url, alice), 'dev/review')
  })
  await walk.once('G13', '… and Revoke', 'Not connected', async () => {
    const question = await hers(first).open(`${first.url}${PAGES}/servers/dev/review/revoke`)
    return stateOf(await hers(first).submit(question), 'dev/review')
  })
  await walk.onEach('G1', 'a token made there is shown once, and adds 2 and 3', '200 5', async (target) => {
    const page = await open(hers(target), target, alice, '/tokens')
    const made = await hers(target).submit(page, { name: 'made in the demo', lifetime: '7' }, `${PAGES}/tokens`)
    const jwt = /spp_\w{49}/.exec(made.body)?.[0] ?? 'none'
    return callTool(target, { server: 'public/calculator', token: { name: 'made', jwt } }, 'add', { a: 2, b: 3 })
  })
  await walk.onEach(
    'G2',
    'the virtual account that she answers for',
    'nightly: Ready',
    async (target) => `nightly: ${stateOf(await open(hers(target), target, alice, '/accounts'), 'nightly')}`,
  )
  await walk.onEach('G2', '… for bob', `404 "This page does not exist" ${PAGES}/accounts`, async (target) =>
    describePage(target, await open(his(target), target, bob, '/accounts')),
  )
}

/** What the card of a server, or of a virtual account, says of its state. */
function stateOf({ body }: Loaded, name: string): string {
  const [, card = ''] = new RegExp(`<article class="card" id="${name}"(.*?)</article>`, 's').exec(body) ?? []
  const states = card.match(/(?:Not c|C)onnected(?=<)|Ready|\d+ of \d+ to connect/)
  return states?.[0] ?? 'it is not there'
}
