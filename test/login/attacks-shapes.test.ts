/** What we have sealed ourselves, but in another version or for another configuration: never in as somebody else, never 500. */
import { describe, expect, it } from 'vitest'
import { createSealer } from '../../src/core/sealing.ts'
import { generateKey } from '../../src/index.ts'
import { sealed } from '../../src/store/sealed.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { API } from './rogue-provider.ts'
import { callbackOf, cookieOf, expectBegun, expectNobody, openStall, ownCookies, stopBefore, whoIs } from './stall.ts'

/** What JSON can be, in place of an object with all that is expected. */
function misshapen(good: Record<string, unknown>): [what: string, value: unknown][] {
  const without = Object.keys(good).map((key): [string, unknown] => {
    const { [key]: _, ...rest } = good
    return [`without ${key}`, rest]
  })
  const nulls = Object.keys(good).map((key): [string, unknown] => [`${key} null`, { ...good, [key]: null }])
  const texts = Object.keys(good).map((key): [string, unknown] => [`${key} a text`, { ...good, [key]: 'x' }])
  const lists = Object.keys(good).map((key): [string, unknown] => [`${key} a list`, { ...good, [key]: [1] }])
  const bare: [string, unknown][] = [null, [], {}, 'text', 1, true].map((value) => [JSON.stringify(value), value])
  return [...bare, ...without, ...nulls, ...texts, ...lists]
}

describe('sealed by us, but by another version', () => {
  const KEY = generateKey()

  /** Only what is good in this version as well may pass. */
  const harmless = new Set([
    'without providerSession',
    'without idToken',
    'without issuedAt',
    'without nonce',
    'providerSession a text',
    'idToken a text',
    'nonce a text',
    'providerSubject a text',
    'owner a text',
    'id a text',
  ])

  it('a cookie that names a stored session', async () => {
    const stall = await openStall({ login: { keys: [KEY] } })
    await stall.browser.load(`${stall.origin}/`)
    const { name, value } = cookieOf(stall.browser, '127.0.0.1', '.corp')
    const sealer = createSealer([KEY], 'login-session')
    const place = `session corp ${stall.origin}`
    const good = JSON.parse((await sealer.openText(value, place)).plaintext)
    expect(Object.keys(good).sort()).toEqual(['began', 'id', 'owner', 'seen'])
    for (const [what, shape] of misshapen(good)) {
      const cookie = `${name}=${await sealer.sealText(JSON.stringify(shape) ?? '', place)}`
      const status = (await stall.newBrowser().script(`${stall.origin}/`, { headers: { cookie } })).status
      expect(status, what).toBe(403)
      await expectNobody(stall, cookie)
    }
    const noJson = `${name}=${await sealer.sealText('{"owner":', place)}`
    await expectNobody(stall, noJson)
  })

  it('a session in a cookie', async () => {
    const stall = await openStall({ login: { keys: [KEY], session: 'cookie' } })
    await stall.browser.load(`${stall.origin}/`)
    const { name, value } = cookieOf(stall.browser, '127.0.0.1', '.corp')
    const sealer = createSealer([KEY], 'login-session')
    const place = `cookie session corp ${stall.origin}`
    const good = JSON.parse((await sealer.openText(value, place)).plaintext)
    for (const [what, shape] of misshapen(good)) {
      const cookie = `${name}=${await sealer.sealText(JSON.stringify(shape) ?? '', place)}`
      const { status } = await stall.newBrowser().script(`${stall.origin}/`, { headers: { cookie } })
      expect(harmless.has(what) ? [200] : [403], what).toContain(status)
      if (status === 403) await expectNobody(stall, cookie)
    }
  })

  it('a stored session', async () => {
    const store = sealed(memoryStore(), [KEY])
    const stall = await openStall({ login: { keys: [KEY], store } })
    await stall.browser.load(`${stall.origin}/`)
    const { name, value } = cookieOf(stall.browser, '127.0.0.1', '.corp')
    const sealer = createSealer([KEY], 'login-session')
    const place = `session corp ${stall.origin}`
    const reference = JSON.parse((await sealer.openText(value, place)).plaintext)
    const found = await store.get({ space: 'login-sessions', owner: reference.owner, id: reference.id })
    const record = JSON.parse(Buffer.from(found?.value ?? []).toString('utf8'))
    const shapes: [string, unknown][] = [
      ...misshapen(record.tokens).map(([what, tokens]): [string, unknown] => [what, { ...record, tokens }]),
      ...misshapen(record)
        .filter(([what]) => !/obtainedAt|connection a text/.test(what))
        .map(([what, whole]): [string, unknown] => [`record: ${what}`, whole]),
    ]
    let serial = 0
    for (const [what, shape] of shapes) {
      const id = `${reference.id}${serial++}`
      const key = { space: 'login-sessions', owner: reference.owner, id }
      await store.put(key, Buffer.from(JSON.stringify(shape)), { ifVersion: null })
      const cookie = `${name}=${await sealer.sealText(JSON.stringify({ ...reference, id }), place)}`
      const { status } = await stall.newBrowser().script(`${stall.origin}/`, { headers: { cookie } })
      const fine =
        harmless.has(what) || /(?:accessToken|refreshToken) a text|without (?:accessToken|refreshToken)/.test(what)
      expect(fine ? [200] : [403], what).toContain(status)
      if (status === 403) await expectNobody(stall, cookie)
    }
  })

  it('a sign-in under way', async () => {
    const stall = await openStall({ login: { keys: [KEY] } })
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    const state = new URL(callback).searchParams.get('state') ?? ''
    const [name = '', value = ''] = ownCookies(stall.browser)[0]?.split(/=(.*)/s) ?? []
    const sealer = createSealer([KEY], 'login-transaction')
    const place = `sign-in corp ${state}`
    // The time is in front.
    const [time = '', text = ''] = value.split(/(?<=^[^.]*\.)/)
    const good = JSON.parse((await sealer.openText(text, place)).plaintext)
    for (const [what, shape] of misshapen(good)) {
      const cookie = `${name}=${time}${await sealer.sealText(JSON.stringify(shape) ?? '', place)}`
      const page = await stall.newBrowser().load(callback, { headers: { cookie }, follow: false })
      if (page.status === 302) expectBegun(stall, page)
      else expect([400, 502], what).toContain(page.status)
      if (page.status !== 302) expect(page.body, what).toContain('<h1')
    }
    expect(stall.logins.every(({ kind }) => kind !== 'signed_in')).toBe(true)
  })

  it('what the state of a sign-in says that is lost', async () => {
    const stall = await openStall({ login: { keys: [KEY] } })
    const callback = new URL(await callbackOf(stall.browser, `${stall.origin}/deep`))
    const [head = '', ...text] = (callback.searchParams.get('state') ?? '').split('.')
    const sealer = createSealer([KEY], 'login-transaction')
    const place = `sign-in corp carried ${head}`
    const wish = JSON.parse((await sealer.openText(text.join('.'), place)).plaintext)
    expect(wish).toEqual({ returnTo: `${stall.origin}/deep` })
    const shapes = [
      ...misshapen({ ...wish, hop: 'x', prompt: 'login', renewals: 1 }),
      ['elsewhere', { returnTo: 'https://evil.test/' }],
      ['a script', { returnTo: 'javascript:alert(1)' }],
      ['no JSON', undefined],
    ] as const
    for (const [what, shape] of shapes) {
      callback.searchParams.set('state', `${head}.${await sealer.sealText(JSON.stringify(shape) ?? '{"', place)}`)
      const page = await stall.newBrowser().load(callback.href, { follow: false })
      if (page.status === 302) expectBegun(stall, page)
      else expect([page.status, page.body], what).toEqual([400, expect.stringContaining('<h1')])
      expect(page.body, what).not.toMatch(/evil\.test|javascript/)
    }
    expect(stall.provider.count('POST /token')).toBe(0)
  })

  it('a ticket, and what a sign-out form holds', async () => {
    const url = 'https://login.test'
    const partner = 'https://partner.test'
    const stall = await openStall({
      url,
      origins: [partner],
      login: { keys: [KEY], session: 'cookie' },
      routes: [
        { host: 'partner.test', auth: { type: 'jwt', integration: 'corp', login: true } },
        { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } },
      ],
    })
    const link = await stopBefore(stall.browser, `${partner}/`, '/hand-off?')
    const sealer = createSealer([KEY], 'login-hand-off')
    const place = `hand-off ${partner}`
    const ticket = new URL(link).searchParams.get('ticket') ?? ''
    const good = JSON.parse((await sealer.openText(ticket, place)).plaintext)
    const session = JSON.parse(good.handle)
    const shapes = [
      ...misshapen(good),
      ...misshapen(session).map(([what, handle]): [string, unknown] => [
        `handle ${what}`,
        { ...good, handle: JSON.stringify(handle) },
      ]),
    ]
    for (const [what, shape] of shapes) {
      const forged = await sealer.sealText(JSON.stringify(shape) ?? '', place)
      const page = await stall.browser.load(link.replace(ticket, forged), { follow: false })
      const fine = harmless.has(what.replace('handle ', ''))
      // For a secret that is not the browser's, it begins anew.
      const begins = what.startsWith('hop ') && page.headers['set-cookie'] === undefined
      expect(fine || begins ? [303, 400] : [400], what).toContain(page.status)
      if (fine) expect(page.status, what).toBe(303)
    }
    const forms = createSealer([KEY], 'login-form')
    for (const [what, shape] of misshapen({ at: stall.clock.now(), sessions: 'x' })) {
      const token = await forms.sealText(JSON.stringify(shape) ?? '', `sign-out ${url}`)
      const page = await stall.browser.load(`${url}/.sallyport/sign-out`, {
        method: 'POST',
        form: { csrf_token: token },
        headers: { origin: url, 'sec-fetch-site': 'same-origin' },
        follow: false,
      })
      expect(page.status, what).toBe(403)
    }
  })
})

describe('sessions that outlive their configuration', () => {
  it('an integration that is somebody else by now: its old sessions are nobody in the new one', async () => {
    const [key, store] = [generateKey(), memoryStore()]
    const before = await openStall({ login: { keys: [key], store } })
    await before.browser.load(`${before.origin}/`)
    const { value } = cookieOf(before.browser, '127.0.0.1', '.corp')
    // The same name, another provider, and there "alice" is another person.
    const { createGuard } = await import('../../src/index.ts')
    const { request } = await import('../guard/harness.ts')
    const guardOf = (issuer: string) =>
      createGuard({
        clock: before.clock,
        login: { url: before.origin, keys: [key], store },
        integrations: { corp: { issuer, audience: API, oauth2: { clientId: 'shop' } } },
        routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true } }],
      })
    const headers = { Cookie: `sallyport-${before.port}.corp=${value}` }
    const asked = () => request({ host: new URL(before.origin).host, headers })
    const same = guardOf(before.provider.issuer)
    expect((await same.handle(asked())).kind).toBe('pass')
    const other = guardOf(before.other.issuer)
    expect(await other.handle(asked())).toMatchObject({ kind: 'reply', reply: { status: 403 } })
    expect(await other.identify(asked())).toBe(null)
    await Promise.all([same.close(), other.close()])
  })

  it('a route that does not name the integration (any more) does not let its sessions in', async () => {
    const stall = await openStall()
    await stall.browser.load(`${stall.origin}/`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    expect(await whoIs(stall.browser, `${stall.origin}/other`)).toBe(null)
  })
})
