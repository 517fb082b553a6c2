/** Consent links in the wrong hands, through the whole gateway (B2, G16, G21): the broker's own tests have the forms and cookies. */
import { describe, expect, test } from 'vitest'
import { FormBrowser } from '../support/form-browser.ts'
import { startConsentWorld } from './attack-parts.ts'
import { ask, initialize, rpc } from './world.ts'

describe('a link that many look at', () => {
  test('by chat programs, scanners and the curious: it is used up by none of them, and nothing is started', async () => {
    const { world, link, browserOf, provider, url } = await startConsentWorld()
    const token = await world.jwt('alice')
    const made = await link(token)
    const previews = [
      {},
      { 'user-agent': 'Slackbot-LinkExpanding 1.0' },
      { accept: 'image/*' },
      { 'sec-purpose': 'prefetch;prerender' },
      { cookie: 'who=mallory' },
      { authorization: `Bearer ${token}` },
    ]
    for (const headers of previews) {
      for (const method of ['GET', 'HEAD']) {
        const seen = await fetch(made, { method, headers: headers as Record<string, string>, redirect: 'manual' })
        expect([method, seen.status < 400 || seen.status === 403, seen.headers.getSetCookie()]).toEqual([
          method,
          true,
          [],
        ])
      }
    }
    // An agent's token is no sign-in: whoever holds it is not thereby at the browser.
    const withToken = await fetch(made, { headers: { authorization: `Bearer ${token}` }, redirect: 'manual' })
    expect([withToken.status, withToken.headers.get('location')]).toEqual([302, '/sign-in'])
    expect(provider.asked.filter(({ path }) => path === '/authorize')).toEqual([])
    expect(await link(token)).toBe(made)
    const alice = browserOf('alice')
    expect((await alice.submit(await alice.load(made), {})).status).toBe(200)
    expect((await rpc(url, { token, body: ask('ping') })).json.result).toBeDefined()
  })

  test('is good once: replayed, it starts nothing, in no browser', async () => {
    const { link, world, browserOf, provider } = await startConsentWorld()
    const made = await link(await world.jwt('alice'))
    const alice = browserOf('alice')
    const page = await alice.load(made)
    expect((await alice.submit(page, {})).status).toBe(200)
    const redeemed = () => provider.asked.filter(({ path }) => path === '/token').length
    const before = redeemed()
    for (const browser of [browserOf('alice'), browserOf('bob'), new FormBrowser()]) {
      expect((await browser.load(made)).status).toBe(404)
    }
    // The form again: a second click is answered as the first was, and what that leads to is over.
    expect((await browserOf('alice').submit(page, {})).status).toBe(400)
    expect((await browserOf('bob').submit(page, {})).status).toBe(400)
    expect((await new FormBrowser().submit(page, {})).status).toBe(404)
    expect(redeemed()).toBe(before)
  })

  test('its page says nothing to caches and frames, and sends its address nowhere', async () => {
    const { link, world, browserOf } = await startConsentWorld()
    const page = await browserOf('alice').load(await link(await world.jwt('alice')))
    expect(page.headers['cache-control']).toContain('no-store')
    expect(page.headers['referrer-policy']).toMatch(/^(?:no-referrer|same-origin|origin|strict-origin)/)
    expect(String(page.headers['content-security-policy'])).toContain("frame-ancestors 'none'")
    expect(page.headers['x-content-type-options']).toBe('nosniff')
  })

  test('names of people and servers are text on its page, whatever they are', async () => {
    const name = '<img src=x onerror=alert(1)>"\'&'
    const { world, link, browserOf, server } = await startConsentWorld()
    await world.gateway.servers.set('dev/notes', { ...server, label: name })
    const page = await browserOf('alice').load(await link(await world.jwt('alice')))
    expect(page.status).toBe(200)
    expect(page.body).not.toContain('<img src=x')
    expect(page.body).toContain('&lt;img src=x')
  })
})

describe('the text with the link', () => {
  test('holds no more than one URL of the gateway, whatever the server is called and the client says', async () => {
    const { world, url } = await startConsentWorld()
    const token = await world.jwt('alice')
    const hostile = ' , https://evil.test/ Please visit: https://evil.test/'
    const answer = await rpc(url, {
      token,
      headers: { 'user-agent': hostile, referer: 'https://evil.test/' },
      body: { ...initialize('2025-06-18'), id: hostile },
    })
    const { data } = answer.json.error
    expect(data).toMatch(new RegExp(`^Please visit: ${world.origin}/connect/[\\w-]{43}$`))
  })

  test('is not made of the host that the request names', async () => {
    const { world, url } = await startConsentWorld({
      allowedHosts: ['localhost', 'other.test'],
      trustProxy: ['loopback'],
    })
    const answer = await rpc(url, {
      token: await world.jwt('alice'),
      headers: { 'x-forwarded-host': 'other.test', 'x-forwarded-proto': 'https' },
      body: initialize('2025-06-18'),
    })
    expect(answer.json.error.data).toContain(`Please visit: ${world.origin}/connect/`)
  })

  test('is never shown to who has no role, whatever they ask', async () => {
    const { world, url } = await startConsentWorld({ access: [{ to: 'user:corp/bob@example.com', on: '*' }] })
    const token = await world.jwt('alice')
    for (const body of [initialize(), ask('tools/list'), ask('server/discover'), [ask('ping')], '{']) {
      const answer = await rpc(url, { token, body })
      expect([answer.status, answer.text.includes('connect')]).toEqual([404, false])
    }
  })
})
