/** What somebody without an account can make grow: nothing in the store, little in a browser, little at the provider. */
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { StoredRecord, TokenStore } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { operatedStore } from '../../src/testing/failing-store.ts'
import { askRaw } from '../support/raw-client.ts'
import { callbackOf, openStall, type Stall, type StallOptions, whoIs } from './stall.ts'

const LOGIN = 'https://login.test'
const PARTNER = 'https://partner.test'
const spread: StallOptions = {
  url: LOGIN,
  origins: [PARTNER],
  routes: [
    { host: 'partner.test', auth: { type: 'jwt', integration: ['corp', 'other'], login: true } },
    { path: '/other', auth: { type: 'jwt', integration: 'other', login: true } },
    { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } },
  ],
}
const click = { 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1' }

/** A stall whose store counts the records that are put into it. */
async function openCounted(
  options: StallOptions = spread,
): Promise<{ stall: Stall; inner: TokenStore; written: () => number }> {
  const inner = memoryStore()
  let written = 0
  const counting: TokenStore = {
    ...operatedStore(inner, (_turn, operation) => operation()),
    put(key, value, put) {
      written++
      return inner.put(key, value, put)
    },
  }
  return {
    stall: await openStall({ ...options, login: { ...options.login, store: counting } }),
    inner,
    written: () => written,
  }
}

async function records(store: TokenStore, space: string): Promise<readonly StoredRecord[]> {
  const { records: found } = await store.scan(space, { limit: 1000 })
  return found
}

describe('somebody without an account', () => {
  it('writes nothing to the store, whatever they ask for', async () => {
    const { stall, written } = await openCounted()
    const token = await stall.other.logoutToken({ sub: 'alice' })
    for (let index = 0; index < 10; index++) {
      const browser = stall.newBrowser()
      for (const url of [
        `${LOGIN}/${index}`,
        `${LOGIN}/other`,
        `${PARTNER}/${index}`,
        `${LOGIN}/.sallyport/sign-in?integration=corp&hop=${'A'.repeat(43)}&return_to=${PARTNER}/`,
        `${LOGIN}/.sallyport/sign-in`,
        `${LOGIN}/.sallyport/callback/corp?code=x&state=x`,
        `${LOGIN}/.sallyport/callback/corp?error=access_denied&state=x`,
        `${PARTNER}/.sallyport/hand-off?ticket=${'A'.repeat(43)}`,
        `${LOGIN}/.sallyport/sign-out`,
        `${LOGIN}/.sallyport/signed-out`,
      ]) {
        await browser.load(url, { follow: false })
        await browser.script(url)
      }
      await browser.load(await callbackOf(browser, `${LOGIN}/`).then((url) => url.replace(/code=[^&]*/, 'code=forged')))
      await browser.load(`${LOGIN}/.sallyport/sign-out`, { headers: click, follow: false })
      const form = { logout_token: token }
      await browser.load(`${LOGIN}/.sallyport/back-channel/corp`, { method: 'POST', form })
    }
    expect(written()).toBe(0)
  })

  it('a browser keeps a handful of cookies of ours, whatever it is led to', async () => {
    const { stall } = await openCounted()
    for (let index = 0; index < 20; index++) {
      await stall.browser.load(`${LOGIN}/${index}`, { follow: false })
      await stall.browser.load(`${LOGIN}/other/${index}`, { follow: false })
      await stall.browser.load(`${PARTNER}/${index}`, { follow: false })
    }
    expect(stall.browser.cookies('login.test').length).toBeLessThanOrEqual(5)
    expect(stall.browser.cookies('login.test').join('; ').length).toBeLessThan(7_500)
    expect(stall.browser.cookies('partner.test').length).toBe(1)
  })

  it.each([['store'], ['cookie']] as const)(
    'an answer never carries more cookies than fit through a proxy (sessions in a %s)',
    async (session) => {
      const stall = await openStall({ ...spread, login: { session } })
      for (const cookie of [
        Array.from({ length: 200 }, (_, index) => `__Host-sallyport.~sign-in-${index}=x`),
        Array.from({ length: 200 }, (_, index) => `__Host-sallyport.corp.${index}=x`),
      ]) {
        const answer = await askRaw(stall.port, {
          headers: [
            ['Host', 'login.test'],
            ['Accept', 'text/html'],
            ['Cookie', cookie.join('; ')],
          ],
        })
        expect(answer.status).toBe(302)
        expect(answer.lines('set-cookie').length).toBeLessThanOrEqual(12)
      }
    },
  )

  it('what is told of a request does not grow with it', async () => {
    const { stall } = await openCounted()
    const long = 'x'.repeat(8_000)
    await stall.browser.load(`${LOGIN}/.sallyport/callback/${long}?code=${long.slice(0, 4_000)}`)
    await stall.browser.load(`${LOGIN}/.sallyport/sign-in?integration=${long}&prompt=x`)
    await stall.browser.load(`${LOGIN}/.sallyport/back-channel/corp`, {
      method: 'POST',
      form: { logout_token: `${long}.${long}.x` },
    })
    const callback = await callbackOf(stall.browser, `${LOGIN}/`)
    await stall.browser.load(
      `${callback}&error=${long.slice(0, 3_000)}&${long.slice(0, 3_000)}=1&${long.slice(0, 3_000)}=2`,
    )
    for (const event of stall.logins) expect(JSON.stringify(event).length).toBeLessThan(1_000)
  })

  it('a form that trickles in or never ends is read no further than it has to be', async () => {
    const { stall } = await openCounted()
    const body = Buffer.alloc(4 * 1024 * 1024, 'a')
    const headers = { Host: 'login.test', 'Content-Type': 'application/x-www-form-urlencoded', Origin: LOGIN }
    for (const target of ['/.sallyport/back-channel/corp', '/.sallyport/sign-out']) {
      const answer = await askRaw(stall.port, { method: 'POST', target, headers, body })
      expect([400, 200, 303, 403]).toContain(answer.status)
    }
  })
})

describe('the provider', () => {
  it('is asked nothing for whoever only comes by, but for its metadata, once', async () => {
    const { stall } = await openCounted()
    await Promise.all(
      Array.from({ length: 30 }, (_, index) => stall.newBrowser().load(`${LOGIN}/${index}`, { follow: false })),
    )
    expect(stall.provider.asked).toEqual(['GET /.well-known/openid-configuration'])
  })

  it('that is down is asked by one of those who wait, not by each', async () => {
    let asking = 0
    let most = 0
    let fail = () => {}
    const down = new Promise<never>((_resolve, reject) => {
      fail = () => reject(new TypeError('fetch failed'))
    })
    const fetch = async () => {
      most = Math.max(most, ++asking)
      try {
        return await down
      } finally {
        asking--
      }
    }
    let arrived = 0
    let open = () => {}
    const all = new Promise<void>((resolve) => {
      open = resolve
    })
    const before = () => {
      if (++arrived === 20) open()
      return all
    }
    const stall = await openStall({ ...spread, config: { fetch }, before })
    const loading = Array.from({ length: 20 }, (_, index) =>
      stall.newBrowser().load(`${LOGIN}/${index}`, { follow: false }),
    )
    await expect.poll(() => most, { timeout: 15_000 }).toBeGreaterThan(0)
    fail()
    const pages = await Promise.all(loading)
    expect(new Set(pages.map(({ status }) => status))).toEqual(new Set([503]))
    // Whoever comes when it has failed asks anew: how often it is asked is chance, that nobody asks beside another is not.
    expect(most).toBe(1)
  })

  it('whose metadata cannot be had any more after an hour is used as it was known', async () => {
    let down = false
    const asked: string[] = []
    const fetch = (url: string, init: RequestInit) => {
      asked.push(url)
      return down && url.includes('.well-known')
        ? Promise.reject(new TypeError('fetch failed'))
        : globalThis.fetch(url, init)
    }
    const stall = await openStall({ ...spread, config: { fetch } })
    await stall.browser.load(`${LOGIN}/`)
    const begun = performance.now()
    const now = vi.spyOn(performance, 'now').mockImplementation(() => begun + 2 * 3_600_000)
    onTestFinished(() => now.mockRestore())
    down = true
    for (let index = 0; index < 4; index++) {
      const browser = stall.newBrowser()
      await browser.load(`${LOGIN}/`)
      expect(await whoIs(browser, `${LOGIN}/`), `sign-in ${index}`).toBe('alice')
    }
    const looked = asked.filter((url) => url.includes('openid-configuration')).length
    expect(looked).toBeLessThanOrEqual(3)
  })
})

describe('somebody with an account', () => {
  it('makes three records with a sign-in, and none with a visit', async () => {
    const { stall, inner, written } = await openCounted()
    for (let index = 0; index < 5; index++) {
      await stall.newBrowser().load(`${LOGIN}/`)
    }
    const browser = stall.newBrowser()
    await browser.load(`${LOGIN}/`)
    const before = written()
    for (let index = 0; index < 10; index++) await browser.script(`${LOGIN}/${index}`)
    expect(written()).toBe(before)
    expect([
      (await records(inner, 'login-sessions')).length,
      (await records(inner, 'login-provider-sessions')).length,
      (await records(inner, 'people')).length,
      (await records(inner, 'login-hand-offs')).length,
    ]).toEqual([6, 6, 1, 0])
  })

  it('leaves a record for some minutes with a sign-out, and no work for whoever ends all of their sessions', async () => {
    const inner = memoryStore()
    const ttls: unknown[] = []
    let [running, most, looked] = [0, 0, 0]
    const store: TokenStore = {
      ...inner,
      async get(key) {
        if (key.space !== 'login-sessions') return inner.get(key)
        looked++
        most = Math.max(most, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running--
        return inner.get(key)
      },
      put(key, value, put) {
        if (key.space === 'login-sessions') ttls.push(put.ttlMs)
        return inner.put(key, value, put)
      },
    }
    const stall = await openStall({ ...spread, login: { store } })
    await stall.browser.load(`${LOGIN}/`)
    await stall.browser.load(`${LOGIN}/.sallyport/sign-out`, { headers: click })
    expect(await whoIs(stall.browser, `${LOGIN}/`)).toBe(null)
    expect(ttls).toEqual([7 * 86_400_000, 600_000])

    const browsers = Array.from({ length: 40 }, () => stall.newBrowser())
    for (const browser of browsers) await browser.load(`${LOGIN}/`)
    most = 0
    for (const wanted of [40, 0]) {
      const form = { logout_token: await stall.provider.logoutToken({ sub: 'alice' }) }
      looked = 0
      const answer = await stall.newBrowser().load(`${LOGIN}/.sallyport/back-channel/corp`, { method: 'POST', form })
      expect([answer.status, looked]).toEqual([200, wanted])
    }
    expect(most).toBeLessThanOrEqual(16)
    for (const browser of browsers) expect(await whoIs(browser, `${LOGIN}/`)).toBe(null)
  })

  it('a logout token that is sent again and again leaves one record, for ten minutes', async () => {
    const clockless = memoryStore()
    const stall = await openStall({ ...spread, login: { store: clockless } })
    const form = { logout_token: await stall.provider.logoutToken({ sub: 'alice' }) }
    for (let index = 0; index < 20; index++) {
      await stall.newBrowser().load(`${LOGIN}/.sallyport/back-channel/corp`, { method: 'POST', form })
    }
    expect((await records(clockless, 'login-ended')).length).toBe(1)
  })
})
