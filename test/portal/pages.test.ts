/** G13 G1: the gateway's own pages over HTTP, as a browser without scripts has them; everything behind them is real. */

import { expect, test } from 'vitest'
import { openSession } from '../gateway/world.ts'
import type { LoadedPage } from '../support/form-browser.ts'
import { FormBrowser } from '../support/form-browser.ts'
import { open, person } from './open.ts'
import { formOf, headingOf, press, textOf } from './page-reader.ts'
import { follow, type PortalWorld } from './portal-world.ts'

/** Connects the notes of somebody, from the button to the end. */
async function connect(world: PortalWorld, browser: FormBrowser, name: string): Promise<LoadedPage> {
  const consent = await press(browser, await browser.load(world.page()), /\/servers\/dev\/notes\/connect$/)
  expect(headingOf(consent)).toBe('Connect Notes')
  return follow(browser, await browser.submit(consent, {}), name)
}

test('A8 whoever is not signed in signs in first, and arrives at the page that they wanted', async () => {
  const world = await open()
  const browser = new FormBrowser()
  const page = await follow(browser, await browser.load(world.page('/tokens?server=dev/notes')), 'bob')
  expect(page.url).toBe(world.page('/tokens?server=dev%2Fnotes'))
  expect(headingOf(page)).toBe('My access tokens')
  expect(textOf(page)).toContain('Bob <b>Bold</b>')
  expect(page.body).not.toContain('<b>Bold')
})

test('a session that is used on these pages alone goes on, and ends when only the script of one asks', async () => {
  const world = await open({ idleSeconds: 100 })
  const browser = await world.signIn('bob')
  const later = (path: string, headers = {}) => {
    world.advance(40_000)
    return browser.load(world.page(path), { follow: false, headers })
  }
  for (const path of ['/tokens', '', '/tokens', '']) expect((await later(path)).status).toBe(200)
  const script = { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', 'sec-fetch-site': 'same-origin' }
  expect((await later('/state', script)).headers['set-cookie']).toBeUndefined()
  expect((await later('/state', script)).status).toBe(200)
  expect((await later('/state', script)).status).toBe(401)
})

test('G13 somebody sees their servers, what each is for and how it is connected, and no others', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const text = textOf(await browser.load(world.page()))
  for (const shown of [
    'Notes dev/notes My account Not connected',
    'Your notes, by page and by day.',
    'It asks to Know which account is yours openid orders:read',
    'Wiki public/wiki Open Ready',
    'Data hub data/hub Shared key Ready',
    'You may use some of its tools.',
    'Orders core/orders My own token Bring your token',
    `${world.origin}/mcp/dev/notes/server`,
  ]) {
    expect(text).toContain(shown)
  }
  expect(text).not.toMatch(/secret|the-shared-key|Administration/i)
  const mallory = textOf(await (await world.signIn('mallory')).load(world.page()))
  expect(mallory).toContain('Wiki')
  expect(mallory).not.toMatch(/Notes|Data hub|Orders|Virtual/)
})

test('G13 G8 connect, use, and revoke, with the times of each', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const back = await connect(world, browser, 'bob')
  expect(back.url).toBe(`${world.page()}#dev/notes`)
  expect(textOf(back)).toMatch(
    /Notes dev\/notes My account Connected.*Connected since \d+ \w+ \d{4}.*Last used not yet/s,
  )

  const { key } = await world.gateway.keys.create(await person(world, 'bob'), { name: 'agent' })
  await openSession(`${world.origin}/mcp/dev/notes/server`, key)
  await expect.poll(async () => textOf(await browser.load(world.page()))).toContain('Last used within the last hour')

  const question = await browser.load(world.page('/servers/dev/notes/revoke'))
  expect(headingOf(question)).toBe('Revoke the connection to Notes?')
  const after = await browser.submit(question, {})
  expect(after.url).toBe(`${world.page()}#dev/notes`)
  expect(textOf(after)).toContain('The connection has ended.')
  expect(textOf(after)).toContain('Notes dev/notes My account Not connected')
  // Said once.
  expect(textOf(await browser.load(world.page()))).not.toContain('The connection has ended.')
  expect(await world.gateway.connections.list(await person(world, 'bob'))).toEqual([])
})

test('G13 a connection that is no longer good says so, and is made again', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  await connect(world, browser, 'bob')
  // Registered anew at the authorization server: tokens of the client before are of no use.
  const notes = world.gateway.servers.list()['dev/notes']
  if (notes?.auth.type !== 'oauth2') throw new Error('the notes are not connected by consent')
  await world.gateway.servers.set('dev/notes', { ...notes, auth: { ...notes.auth, clientId: 'notes-2' } })
  const page = await browser.load(world.page())
  expect(textOf(page)).toContain('Notes dev/notes My account Needs your consent again')
  expect(textOf(page)).toContain('Connect again')
  expect(textOf(await browser.load(world.page('/virtual')))).toContain('1 of 2 to connect')
  expect(textOf(await connect(world, browser, 'bob'))).toContain('Notes dev/notes My account Connected')
})

test('G1 a token is made, shown once with settings for five clients, works, is listed without itself, and is revoked', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const form = await browser.load(world.page('/tokens?server=dev/notes'))
  expect(formOf(form, /\/tokens$/).chosen.server).toBe('dev/notes')
  const made = await press(browser, form, /\/tokens$/, {
    name: 'my <i>agent</i>',
    lifetime: '7',
    server: 'public/wiki',
  })
  expect(made).toMatchObject({ status: 200, url: world.page('/tokens') })
  expect(made.headers['cache-control']).toBe('no-store')
  const [key = ''] = /spp_\w{49}/.exec(made.body) ?? []
  const url = `${world.origin}/mcp/public/wiki/server`
  const text = textOf(made)
  expect(text).toContain(`claude mcp add --transport http public-wiki ${url} --header "Authorization: Bearer ${key}"`)
  expect(text).toContain(`"servers": { "public-wiki": { "type": "http", "url": "${url}"`)
  expect(text).toContain(`"mcpServers": { "public-wiki": { "url": "${url}"`)
  expect(text).toContain(`npx @modelcontextprotocol/inspector --cli ${url} --transport http`)
  expect(text).toContain('from fastmcp import Client')
  expect(made.body).not.toContain('<i>agent')
  await openSession(url, key)

  const list = await browser.load(world.page('/tokens'))
  expect(list.body).not.toContain(key)
  expect(textOf(list)).toContain(`my <i>agent</i> ${key.slice(0, 8)}…`)
  const [, href = ''] = /href="(\/gateway\/tokens\/\w+\/revoke)"/.exec(list.body) ?? []
  const question = await browser.load(world.origin + href)
  expect(textOf(question)).toContain('Whatever uses the token my <i>agent</i>')
  const gone = await browser.submit(question, {})
  expect(gone.url).toBe(world.page('/tokens'))
  expect(textOf(gone)).toContain('The token has been revoked.')
  expect(textOf(gone)).toContain('You have no tokens.')
  await expect(openSession(url, key)).rejects.toThrow(/401/)
})

test('G5 a virtual server has its URL and the states of its members, which are connected from there', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const page = await browser.load(world.page('/virtual'))
  expect(textOf(page)).toContain('Assistant team/assistant 1 of 2 to connect')
  expect(textOf(page)).toContain(`${world.origin}/mcp/team/assistant/server`)
  const consent = await press(browser, page, /\/servers\/dev\/notes\/connect$/)
  const back = await follow(browser, await browser.submit(consent, {}), 'bob')
  expect(back.url).toBe(`${world.page('/virtual')}#dev/notes`)
  expect(textOf(back)).toContain('Assistant team/assistant Ready')
})

test('G13 the settings of a server can be read without making a token', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const page = await browser.load(world.page('/servers/team/assistant/clients'))
  expect(headingOf(page)).toBe('Set up a client for Assistant')
  expect(textOf(page)).toContain('Bearer YOUR_TOKEN')
  expect(page.body).not.toMatch(/spp_\w{49}/)
  const orders = textOf(await browser.load(world.page('/servers/core/orders/clients')))
  expect(orders).toContain('Access tokens that are made here do not work with this server.')
})

test.each(['express', 'koa', 'fastify', 'node:http'] as const)('the pages work on %s', async (on) => {
  const world = await open({ on })
  const browser = await world.signIn('bob')
  const connected = await connect(world, browser, 'bob')
  expect(textOf(connected)).toContain('Notes dev/notes My account Connected')
  const made = await press(browser, await browser.load(world.page('/tokens')), /\/tokens$/, { name: on })
  expect(made.body).toMatch(/spp_\w{49}/)
  expect((await browser.load(`${world.origin}/gateway/nothing`)).status).toBe(404)
  expect((await browser.load(`${world.origin}/elsewhere`)).body).toContain('Hello')
})

test('G3 of a server that only an external identity gives, the pages offer no token that would not open it', async () => {
  const world = await open({
    config: { externalIdentities: { named: { integration: 'corp', claims: { name: 'Mallory' } } } },
  })
  await world.gateway.access.add({ to: 'external-identity:named', on: 'secret/plans' })
  const mallory = await world.signIn('mallory')
  const only = 'only with your own token of the identity provider'
  expect(textOf(await mallory.load(world.page()))).toMatch(new RegExp(`Secret plans.*${only}`, 's'))
  expect(textOf(await mallory.load(world.page()))).not.toMatch(new RegExp(`${only}.*${only}`, 's'))
  const tokens = await mallory.load(world.page('/tokens?server=secret/plans'))
  expect(tokens.body).not.toContain('value="secret/plans"')
  expect(textOf(tokens)).toContain('Only with your own token of the identity provider: Secret plans')
  const made = await press(mallory, tokens, /\/tokens$/, { name: 'x', server: 'secret/plans' })
  expect(textOf(made)).not.toContain('Settings for')
  const setup = await mallory.load(world.page('/servers/secret/plans/clients'))
  expect(textOf(setup)).toContain('Access tokens that are made here do not work')
  // Nobody who is asked about is there with a token.
  const root = await world.signIn('root')
  const question = '/admin/access?server=secret/plans&kind=connect&who='
  const unsure = 'meets an external identity is not known here'
  expect(textOf(await root.load(world.page(`${question}mallory@example.com`)))).toContain(unsure)
  expect(textOf(await root.load(world.page(`${question}virtual-account:ci`)))).not.toContain(unsure)
})
