/** Cookies that have been cut, changed, swapped or piled up, or are of another key: never in, never 500. */
import { describe, expect, it } from 'vitest'
import { callbackOf, cookieOf, expectBegun, expectNobody, openStall, ownCookies, type Stall, whoIs } from './stall.ts'

/** Positions over the whole of a text: all near its ends and dots, some in between. */
function positions(text: string): number[] {
  const dots = [...text].flatMap((character, index) => (character === '.' ? [index - 1, index, index + 1] : []))
  const some = Array.from({ length: 12 }, (_, index) => Math.floor((text.length * index) / 12))
  return [...new Set([0, 1, 2, ...dots, ...some, text.length - 2, text.length - 1])].filter(
    (at) => at >= 0 && at < text.length,
  )
}

const groups = (count: number) => Array.from({ length: count }, (_, index) => `a-group-with-a-long-name-${index}`)

/** A stall with sessions in cookies, and people with many groups. */
async function openWithChunks(count = 220): Promise<Stall> {
  const stall = await openStall({ login: { session: 'cookie' } })
  stall.provider.hooks.accessToken = (claims) => ({ ...claims, groups: groups(count) })
  return stall
}

describe.each([['store'], ['cookie']] as const)('a session cookie (sessions in a %s)', (session) => {
  it('cut off at any place, or with a bit changed', async () => {
    const stall = await openStall({ login: { session } })
    await stall.browser.load(`${stall.origin}/`)
    const { name, value } = cookieOf(stall.browser, '127.0.0.1', '.corp')
    const bare = stall.newBrowser()
    const status = async (text: string) =>
      (await bare.script(`${stall.origin}/`, { headers: { cookie: `${name}=${text}` } })).status
    expect(await status(value)).toBe(200)
    for (const at of positions(value)) {
      expect(await status(value.slice(0, at)), `cut off at ${at}`).toBe(403)
      const other = String.fromCharCode(value.charCodeAt(at) ^ 1)
      const changed = value.slice(0, at) + (/[\w.-]/.test(other) ? other : 'x') + value.slice(at + 1)
      // The last character of base64url may hold bits that count for nothing.
      if (changed !== value && /[\w-]/.test(value[at + 1] ?? ''))
        expect(await status(changed), `changed at ${at}`).toBe(403)
      expect(await status(`${value.slice(0, at)}${value.slice(at + 1)}`), `without ${at}`).toBe(403)
    }
    for (const text of [
      `${value}.`,
      `.${value}`,
      `${value}.x`,
      value.replaceAll('.', ''),
      `${value}${value}`,
      '....',
      '.',
    ]) {
      expect(await status(text)).toBe(403)
    }
    await expectNobody(stall, `${name}=${value.slice(0, -5)}`)
  })

  it('of a key that is not there (any more)', async () => {
    const [one, two] = [await openStall({ login: { session } }), await openStall({ login: { session } })]
    await one.browser.load(`${one.origin}/`)
    const { value } = cookieOf(one.browser, '127.0.0.1', '.corp')
    await expectNobody(two, `sallyport-${two.port}.corp=${value}`)
  })

  it('in a place that it was not made for', async () => {
    const stall = await openStall({ login: { session } })
    await stall.browser.load(`${stall.origin}/`)
    const { name, value } = cookieOf(stall.browser, '127.0.0.1', '.corp')
    const other = name.replace('.corp', '.other')
    const bare = stall.newBrowser()
    expect((await bare.script(`${stall.origin}/other`, { headers: { cookie: `${other}=${value}` } })).status).toBe(403)

    // As a sign-in that is under way.
    const callback = await callbackOf(stall.browser, `${stall.origin}/other`)
    const transaction = ownCookies(stall.browser).find((cookie) => cookie.includes('sign-in-')) ?? ''
    const [transactionName = '', transactionValue = ''] = transaction.split(/=(.*)/s)
    expect(transactionValue).not.toBe('')
    const page = await bare.load(callback, { headers: { cookie: `${transactionName}=${value}` }, follow: false })
    expectBegun({ provider: stall.other }, page)
    expect(stall.other.count('POST /token')).toBe(0)
    // And the other way round; and what keeps a sign-out form from being forged.
    await expectNobody(stall, `${name}=${transactionValue}`)
    const form = await stall.browser.load(`${stall.origin}/.sallyport/sign-out`)
    const token = /name="csrf_token" value="([^"]+)"/.exec(form.body)?.[1] ?? ''
    await expectNobody(stall, `${name}=${token}`)
  })

  it('a session cookie is no form token, no ticket and no state', async () => {
    const stall = await openStall({ login: { session } })
    await stall.browser.load(`${stall.origin}/`)
    const { value } = cookieOf(stall.browser, '127.0.0.1', '.corp')
    const { origin } = stall
    const post = await stall.browser.load(`${origin}/.sallyport/sign-out`, {
      method: 'POST',
      form: { csrf_token: value },
      headers: { origin, 'sec-fetch-site': 'same-origin' },
      follow: false,
    })
    expect(post.status).toBe(403)
    expect((await stall.browser.load(`${origin}/.sallyport/hand-off?ticket=${value}`)).status).toBe(400)
    expect((await stall.browser.load(`${origin}/.sallyport/callback/corp?code=x&state=${value}`)).status).toBe(400)
    expect(await whoIs(stall.browser, `${origin}/`)).toBe('alice')
  })

  it('large ones, and many', async () => {
    const stall = await openStall({ login: { session } })
    const prefix = `sallyport-${stall.port}`
    const long = 'A'.repeat(14_000)
    await expectNobody(stall, `${prefix}.corp=${long}`)
    await expectNobody(stall, `${prefix}.corp=${'.'.repeat(14_000)}`)
    await expectNobody(stall, Array.from({ length: 100 }, (_, index) => `${prefix}.corp.${index}=x`).join('; '))
    await expectNobody(stall, Array.from({ length: 100 }, () => `${prefix}.corp=x`).join('; '))
    await expectNobody(stall, Array.from({ length: 4_000 }, () => 'a=').join(';'))
    await expectNobody(stall, `${prefix}.corp; =${prefix}.corp; ;;;=; ${prefix}.corp=`)
  })

  it('over the limit of Node: 431, and nothing of ours breaks', async () => {
    const stall = await openStall({ login: { session } })
    const cookie = `sallyport-${stall.port}.corp=${'A'.repeat(16_384)}`
    expect((await stall.newBrowser().load(`${stall.origin}/`, { headers: { cookie } })).status).toBe(431)
    await stall.browser.load(`${stall.origin}/`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })
})

describe('cookies of sign-ins under way', () => {
  it('a hundred of them, and names that nobody can clear', async () => {
    const stall = await openStall()
    const prefix = `sallyport-${stall.port}.~sign-in-`
    for (const name of [
      (index: number) => `${index}`,
      (index: number) => `(${index})`,
      (index: number) => `"${index}"`,
      (index: number) => `zzzzzzzzz@{${index}}`,
      (index: number) => `${index}\u00ff`,
      (index: number) => `${'x'.repeat(50)}${index}`,
      () => '',
    ]) {
      await expectNobody(stall, Array.from({ length: 100 }, (_, index) => `${prefix}${name(index)}=x`).join('; '))
    }
  })

  it('attempts with long addresses do not add up to more than a server takes', async () => {
    const stall = await openStall()
    const statuses: number[] = []
    for (let index = 0; index < 12; index++) {
      const page = await stall.browser.load(`${stall.origin}/${index}?q=${'x'.repeat(1_990)}`, { follow: false })
      statuses.push(page.status)
    }
    expect(new Set(statuses)).toEqual(new Set([302]))
    // nginx takes lines of 8 KB by default.
    expect(ownCookies(stall.browser).join('; ').length).toBeLessThan(7_000)
    await stall.browser.load(`${stall.origin}/last`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it('cut off or changed', async () => {
    const stall = await openStall()
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    const [name = '', value = ''] = ownCookies(stall.browser)[0]?.split(/=(.*)/s) ?? []
    const bare = stall.newBrowser()
    for (const at of positions(value)) {
      const changed = value.slice(0, at) + (value[at] === 'A' ? 'B' : 'A') + value.slice(at + 1)
      for (const text of /[\w-]/.test(value[at + 1] ?? '') ? [value.slice(0, at), changed] : [value.slice(0, at)]) {
        const page = await bare.load(callback, { headers: { cookie: `${name}=${text}` }, follow: false })
        expectBegun(stall, page)
      }
    }
    expect(stall.provider.count('POST /token')).toBe(0)
  })

  it('of another server', async () => {
    const [one, two] = [await openStall(), await openStall()]
    const callback = new URL(await callbackOf(one.browser, `${one.origin}/`))
    const [cookie = ''] = ownCookies(one.browser)
    const renamed = cookie.replace(`sallyport-${one.port}`, `sallyport-${two.port}`)
    const page = await two.newBrowser().load(`${two.origin}${callback.pathname}${callback.search}`, {
      headers: { cookie: renamed },
      follow: false,
    })
    expect([page.status, two.provider.count('POST /token')]).toEqual([400, 0])
  })
})

it('a session of an application on another port of the host is left alone', async () => {
  const [one, two] = [
    await openStall({ url: 'https://intra.test:8443' }),
    await openStall({ url: 'https://intra.test:9443' }),
  ]
  await one.browser.load(`${one.origin}/`)
  const { name, value } = cookieOf(one.browser, 'intra.test', '.corp')
  const page = await two.browser.load(`${two.origin}/`, { headers: { cookie: `${name}=${value}` }, follow: false })
  const names = [page.headers['set-cookie'] ?? []].flat().map((line) => line.slice(0, line.indexOf('=')))
  expect(names).toEqual([expect.stringMatching(/^__Host-sallyport-9443\.~sign-in-/)])
})

describe('a session in several cookies', () => {
  it('in any other set, order or number is none', async () => {
    const stall = await openWithChunks()
    await stall.browser.load(`${stall.origin}/`)
    const chunks = ownCookies(stall.browser)
    expect(chunks.length).toBe(3)
    const [other] = [stall.newBrowser()]
    await other.load(`${stall.origin}/`)
    const others = ownCookies(other)
    const values = chunks.map((chunk) => chunk.slice(chunk.indexOf('=') + 1))
    const set = (...texts: (string | undefined)[]) =>
      texts
        .flatMap((text, index) => (text === undefined ? [] : [`sallyport-${stall.port}.corp.${index}=${text}`]))
        .join('; ')
    const bare = stall.newBrowser()
    const status = async (cookie: string) => (await bare.script(`${stall.origin}/`, { headers: { cookie } })).status
    expect(await status(chunks.join('; '))).toBe(200)
    expect(await status([...chunks].reverse().join('; '))).toBe(200)
    const [a = '', b = '', c = ''] = values
    const [, theirs = ''] = others.map((chunk) => chunk.slice(chunk.indexOf('=') + 1))
    for (const wrong of [
      set(a),
      set(a, b),
      set(undefined, b, c),
      set(a, undefined, c),
      set(a, c, b),
      set(b, a, c),
      set(a, a, c),
      set(a, theirs, c),
      set(a.replace(/^3/, '2'), b, c),
      set(a.replace(/^3/, '9'), b, c),
      set(a.replace(/^3/, '1'), b, c),
      set(a.replace(/^3/, '-'), b, c),
      `${set(a, b, c)}; sallyport-${stall.port}.corp=x`,
      `${set(a, b, c)}; sallyport-${stall.port}.corp.1=x`,
      `sallyport-${stall.port}.corp=${a}${b}${c}`,
    ]) {
      expect(await status(wrong), wrong.replace(/[\w-]{60,}/g, '…')).toBe(403)
    }
    // More than there should be does no harm.
    expect(await status(`${set(a, b, c)}; sallyport-${stall.port}.corp.3=x; sallyport-${stall.port}.corp.07=x`)).toBe(
      200,
    )
  })

  it('clears what is left of a longer one', async () => {
    const stall = await openWithChunks()
    await stall.browser.load(`${stall.origin}/`)
    expect(ownCookies(stall.browser).length).toBe(3)
    stall.provider.hooks.accessToken = (claims) => claims
    await stall.browser.load(`${stall.origin}/.sallyport/sign-in?integration=corp`)
    expect(ownCookies(stall.browser).length).toBe(1)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })
})
