/** The forms of the pages against forgery, haste and mistakes. Each failure changes nothing. */
import { StoreError, type TokenStore } from 'sallyport'
import type { Decide } from 'sallyport/gateway'
import { expect, test } from 'vitest'
import type { Sending } from '../support/form-browser.ts'
import { FormBrowser } from '../support/form-browser.ts'
import { open, person } from './open.ts'
import { formOf, headingOf, press, textOf } from './page-reader.ts'
import type { PortalWorld } from './portal-world.ts'

const TOKENS = /\/tokens$/

async function keysOf(world: PortalWorld, name: string) {
  const [found] = await world.gateway.people.find(`${name}@example.com`)
  return found === undefined ? [] : world.gateway.keys.list(found)
}

test('a form without our token, with another one, or from elsewhere is refused, and does nothing', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const page = await browser.load(world.page('/tokens'))
  const { fields } = formOf(page, TOKENS)
  const good: Record<string, string> = { ...fields, name: 'x', lifetime: '7' }
  const others = formOf(await (await world.signIn('alice')).load(world.page('/tokens')), TOKENS).fields
  const sameElsewhere = formOf(await (await world.signIn('bob')).load(world.page('/tokens')), TOKENS).fields
  const own = { origin: world.origin, 'sec-fetch-site': 'same-origin' }
  const { csrf_token: _, ...without } = good
  const doubled = new URLSearchParams(good)
  doubled.append('csrf_token', good.csrf_token ?? '')
  const attempts: Record<string, Sending> = {
    'no token': { form: without, headers: own },
    'an empty token': { form: { ...good, csrf_token: '' }, headers: own },
    'nonsense as token': { form: { ...good, csrf_token: 'a.b.c.d' }, headers: own },
    'the token twice': { form: doubled, headers: own },
    "another person's token": { form: { ...good, csrf_token: others.csrf_token ?? '' }, headers: own },
    "the same person's token of another browser": {
      form: { ...good, csrf_token: sameElsewhere.csrf_token ?? '' },
      headers: own,
    },
    'another origin': { form: good, headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' } },
    'a sibling origin': {
      form: good,
      headers: { origin: world.origin.replace(/:\d+$/, ':1'), 'sec-fetch-site': 'same-site' },
    },
    'the origin null': { form: good, headers: { origin: 'null' } },
    'no word of where it comes from': { form: good, headers: { 'sec-fetch-site': undefined } },
    'cross-site without Origin': { form: good, headers: { 'sec-fetch-site': 'cross-site' } },
  }
  for (const [what, sending] of Object.entries(attempts)) {
    const answer = await browser.load(world.page('/tokens'), { method: 'POST', ...sending })
    expect([what, answer.status, headingOf(answer)]).toEqual([what, 403, 'This could not be checked'])
  }
  expect(await keysOf(world, 'bob')).toEqual([])
  // The same form is good as it was meant.
  expect((await press(browser, page, TOKENS, { name: 'x' })).status).toBe(200)
  expect(await keysOf(world, 'bob')).toHaveLength(1)
})

test('a form without the cookie that it was made with is refused', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const page = await browser.load(world.page('/tokens'))
  const name =
    browser
      .cookies()
      .find((cookie) => cookie.includes('.~pages='))
      ?.split('=')[0] ?? ''
  expect(name).toMatch(/^sallyport-\d+\.~pages$/)
  browser.setCookie('127.0.0.1', name, 'x'.repeat(43))
  expect((await press(browser, page, TOKENS, { name: 'x' })).status).toBe(403)
  browser.setCookie('127.0.0.1', name, '')
  expect((await press(browser, page, TOKENS, { name: 'x' })).status).toBe(403)
  expect(await keysOf(world, 'bob')).toEqual([])
})

test('a form is good for a working day', async () => {
  const world = await open({ tokenSeconds: 86_400 })
  const browser = await world.signIn('bob')
  const page = await browser.load(world.page('/tokens'))
  world.advance(13 * 3_600_000)
  expect((await press(browser, page, TOKENS, { name: 'late', lifetime: '7' })).status).toBe(403)
  const another = await browser.load(world.page('/tokens'))
  world.advance(2 * 3_600_000)
  expect((await press(browser, another, TOKENS, { name: 'in time', lifetime: '7' })).status).toBe(200)
  expect((await keysOf(world, 'bob')).map(({ name }) => name)).toEqual(['in time'])
})

test('something else than a form is refused', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const { fields } = formOf(await browser.load(world.page('/tokens')), TOKENS)
  const response = await fetch(world.page('/tokens'), {
    method: 'POST',
    headers: {
      cookie: browser.cookies('127.0.0.1').join('; '),
      origin: world.origin,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ ...fields, name: 'x' }),
  })
  expect(response.status).toBe(403)
  expect(await keysOf(world, 'bob')).toEqual([])
})

test('a double click makes one token, and both clicks show it; the same form later makes none', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const page = await browser.load(world.page('/tokens'))
  const [one, other] = await Promise.all([
    press(browser, page, TOKENS, { name: 'x' }),
    press(browser, page, TOKENS, { name: 'x' }),
  ])
  const [key] = /spp_\w{49}/.exec(one?.body ?? '') ?? []
  expect(key).toBeDefined()
  expect(other?.body).toContain(key)
  const again = await press(browser, page, TOKENS, { name: 'y' })
  expect([again.status, headingOf(again)]).toEqual([409, 'This form was sent already'])
  expect(again.body).not.toMatch(/spp_\w{49}/)
  expect(await keysOf(world, 'bob')).toHaveLength(1)
})

test('a token that two processes are asked for at once is made once', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const page = await browser.load(world.page('/tokens'))
  // Two different requests of the same form, as far as one process can tell.
  const answers = await Promise.all(['a', 'b'].map((name) => press(browser, page, TOKENS, { name })))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
  expect(await keysOf(world, 'bob')).toHaveLength(1)
})

test.each([
  ['no name', { name: '  ' }, 'Give it a name'],
  ['a long name', { name: 'x'.repeat(101) }, 'A name has 1 to 100 characters'],
  ['a control character', { name: 'a\u0007b' }, 'A name has 1 to 100 characters'],
  ['a made-up lifetime', { name: 'x', lifetime: '99999' }, 'Choose how long'],
])('%s is said, with what was typed, and makes nothing', async (_, more, problem) => {
  const world = await open()
  const browser = await world.signIn('bob')
  const answer = await press(browser, await browser.load(world.page('/tokens')), TOKENS, more)
  expect(answer.status).toBe(400)
  expect(textOf(answer)).toContain(problem)
  expect(await keysOf(world, 'bob')).toEqual([])
  // The form on the answer is a new one.
  expect((await press(browser, answer, TOKENS, { name: 'good', lifetime: '7' })).status).toBe(200)
})

test('whoever has as many tokens as there may be is told so, and gets no further one', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const [bob] = await world.gateway.people.find('bob@example.com')
  if (bob === undefined) throw new Error('nobody')
  for (let count = 0; count < 50; count++) await world.gateway.keys.create(bob, { name: `token ${count}` })
  const answer = await press(browser, await browser.load(world.page('/tokens')), TOKENS, { name: 'one more' })
  expect(answer.status).toBe(400)
  expect(textOf(answer)).toContain('There are as many as there may be already.')
  expect(await keysOf(world, 'bob')).toHaveLength(50)
})

test('revoking twice is revoking; the same form says so again', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const [bob] = await world.gateway.people.find('bob@example.com')
  if (bob === undefined) throw new Error('nobody')
  const { id } = await world.gateway.keys.create(bob, { name: 'x' })
  const question = await browser.load(world.page(`/tokens/${id}/revoke`))
  expect(textOf(await browser.submit(question, {}))).toContain('The token has been revoked.')
  // As a reload some time later has it: other fields, so that it is not taken for a second click.
  expect(textOf(await browser.submit(question, { later: 'yes' }))).toContain('The token has been revoked.')
  // Another form for the same id is one for nothing.
  const other = await world.gateway.keys.create(bob, { name: 'y' })
  const fresh = await browser.load(world.page(`/tokens/${other.id}/revoke`))
  const { fields } = formOf(fresh, /revoke$/)
  const gone = await browser.load(world.page(`/tokens/${id}/revoke`), {
    method: 'POST',
    form: fields,
    headers: { origin: world.origin },
  })
  expect(gone.status).toBe(404)
})

test('a form of somebody who has signed out meanwhile is not done', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const page = await browser.load(world.page('/tokens'))
  browser.clear()
  const answer = await press(browser, page, TOKENS, { name: 'x' })
  expect([answer.status, headingOf(answer)]).toEqual([403, 'Your session has ended'])
  expect(textOf(answer)).toContain('nothing was saved')
  expect(await keysOf(world, 'bob')).toEqual([])
})

test('scripts of nobody get a status, and other methods none of the pages', async () => {
  const world = await open()
  const nobody = new FormBrowser()
  expect((await nobody.script(world.page('/state'))).status).toBe(401)
  expect((await nobody.script(world.page())).status).toBe(401)
  const browser = await world.signIn('bob')
  expect((await browser.load(world.page(), { method: 'PUT' })).status).toBe(405)
  expect((await browser.load(world.page('/virtual'), { method: 'POST', form: {} })).status).toBe(405)
  const head = await browser.load(world.page(), { method: 'HEAD' })
  expect([head.status, head.body]).toEqual([200, ''])
  expect((await browser.script(world.page('/state'))).status).toBe(200)
})

test('no token is made that could not be shown, and the form is still good afterwards', async () => {
  let fails = false
  const decide: Decide = ({ granted }) => {
    if (fails) throw new Error('the policy service is away')
    return granted.allowed
  }
  const world = await open({ config: { decide } })
  const browser = await world.signIn('bob')
  const page = await browser.load(world.page('/tokens'))
  fails = true
  expect((await press(browser, page, TOKENS, { name: 'x' })).status).toBe(503)
  expect(await keysOf(world, 'bob')).toEqual([])
  fails = false
  expect((await press(browser, page, TOKENS, { name: 'x' })).body).toMatch(/spp_\w{49}/)
})

test('a form whose use was written without a word of it is still good', async () => {
  let breaks = true
  const wrapStore = (store: TokenStore): TokenStore => ({
    ...store,
    async put(key, value, options) {
      const done = await store.put(key, value, options)
      if (!breaks || key.space !== 'used-forms') return done
      breaks = false
      throw new StoreError('the connection was reset')
    },
  })
  const world = await open({ wrapStore })
  const browser = await world.signIn('bob')
  const page = await browser.load(world.page('/tokens'))
  expect((await press(browser, page, TOKENS, { name: 'x' })).status).toBe(503)
  expect(breaks).toBe(false)
  expect((await press(browser, page, TOKENS, { name: 'x' })).body).toMatch(/spp_\w{49}/)
  expect(await keysOf(world, 'bob')).toHaveLength(1)
})

test('a form that another process has used is not made good by a store that fails', async () => {
  let isUsed = false
  const wrapStore = (store: TokenStore): TokenStore => ({
    ...store,
    async put(key, value, options) {
      if (key.space !== 'used-forms' || isUsed) return store.put(key, value, options)
      isUsed = true
      await store.put(key, Buffer.from('of another process'), options)
      throw new StoreError('the connection was reset')
    },
  })
  const world = await open({ wrapStore })
  const browser = await world.signIn('bob')
  const page = await browser.load(world.page('/tokens'))
  expect((await press(browser, page, TOKENS, { name: 'x' })).status).toBe(503)
  expect((await press(browser, page, TOKENS, { name: 'x' })).status).toBe(409)
  expect(await keysOf(world, 'bob')).toEqual([])
})

test('what a page has to say of the one before waits for somebody who sees it', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const { id } = await world.gateway.keys.create(await person(world, 'bob'), { name: 'x' })
  const question = await browser.load(world.page(`/tokens/${id}/revoke`))
  await press(browser, question, /revoke$/, {}, { follow: false })
  await browser.load(world.page('/tokens'), { method: 'HEAD' })
  await browser.load(world.page('/tokens'), { headers: { 'sec-purpose': 'prefetch' } })
  expect(textOf(await browser.load(world.page('/tokens')))).toContain('The token has been revoked')
  expect(textOf(await browser.load(world.page('/tokens')))).not.toContain('The token has been revoked')
})

test('no cookie of the pages has a name that the sessions of an integration can have', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const { id } = await world.gateway.keys.create(await person(world, 'bob'), { name: 'x' })
  const question = await browser.load(world.page(`/tokens/${id}/revoke`))
  await press(browser, question, /revoke$/, {}, { follow: false })
  const names = browser.cookies().flatMap((cookie) => /^sallyport-\d+\.([^=]*)=/.exec(cookie)?.[1] ?? [])
  expect(names.filter((name) => name !== 'corp' && !name.startsWith('~'))).toEqual([])
  expect(names).toEqual(expect.arrayContaining(['corp', '~pages', '~note']))
})
