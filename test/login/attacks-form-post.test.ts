/** The provider's answer as a form that the browser posts: forged, huge, of another type, broken off, parsed before. */
import { describe, expect, it } from 'vitest'
import { connectRaw } from '../support/raw-client.ts'
import { cookieOf, cookiesSet, openStall, type Stall, type StallOptions, whoIs, withParameters } from './stall.ts'

describe('form_post', () => {
  const ORIGIN = 'https://app.example.test'
  const byPost: StallOptions = { url: ORIGIN, oauth2: { responseMode: 'form_post' } }
  const crossSite = { origin: 'http://127.0.0.1', 'sec-fetch-site': 'cross-site' }

  /** The fields that the provider has the browser send. */
  async function answerOf(stall: Stall): Promise<{ url: string; form: Record<string, string> }> {
    const page = await stall.browser.load(`${ORIGIN}/`)
    const form = [...page.body.matchAll(/name="([^"]+)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ])
    return { url: `${ORIGIN}/.sallyport/callback/corp`, form: Object.fromEntries(form) }
  }

  it('works, with a cookie that comes along from the other site', async () => {
    const stall = await openStall(byPost)
    const { url, form } = await answerOf(stall)
    await stall.browser.load(url, { method: 'POST', form, headers: crossSite })
    expect(await whoIs(stall.browser, `${ORIGIN}/`)).toBe('alice')
    expect(cookieOf(stall.browser, 'app.example.test', '.corp').name).toBe('__Host-sallyport.corp')
  })

  it('is not taken from the query', async () => {
    const stall = await openStall(byPost)
    const { url, form } = await answerOf(stall)
    for (const method of ['GET', 'HEAD', 'PUT', 'POST']) {
      const page = await stall.browser.load(withParameters(url, form), { method, follow: false })
      expect([page.status, cookiesSet(page)]).toEqual([400, []])
    }
    expect(stall.provider.count('POST /token')).toBe(0)
  })

  it('fields twice, among them as a form would send a list', async () => {
    const stall = await openStall(byPost)
    const { url, form } = await answerOf(stall)
    for (const name of ['code', 'state', 'iss', 'error']) {
      const doubled = new URLSearchParams(form)
      doubled.append(name, 'x')
      doubled.append(name, 'x')
      const page = await stall.browser.load(url, { method: 'POST', form: doubled, headers: crossSite })
      expect(page.status).toBe(400)
      if (name === 'state') continue
      // The attempt is over, and another begins.
      Object.assign(form, (await answerOf(stall)).form)
    }
    expect(stall.provider.count('POST /token')).toBe(0)
  })

  const raw = async (stall: Stall, headers: Record<string, string>, body: string | Uint8Array) => {
    const connection = await connectRaw(stall.port)
    const cookie = stall.browser.cookies('app.example.test').join('; ')
    const target = '/.sallyport/callback/corp'
    const lines = { Host: 'app.example.test', Cookie: cookie, ...crossSite, ...headers }
    const answer = await connection.ask({ method: 'POST', target, headers: lines, body })
    await connection.close()
    return answer
  }
  const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

  it.each([
    ['application/json'],
    ['text/plain'],
    ['multipart/form-data; boundary=x'],
    ['application/x-www-form-urlencoded-not'],
    ['application/x-www-form-urlencoded, text/plain'],
    [''],
  ])('of another type: %s', async (type) => {
    const stall = await openStall(byPost)
    const { form } = await answerOf(stall)
    const answer = await raw(stall, { 'content-type': type }, new URLSearchParams(form).toString())
    expect(answer.status).toBe(400)
    expect(stall.provider.count('POST /token')).toBe(0)
  })

  it('huge', async () => {
    const stall = await openStall(byPost)
    const { form } = await answerOf(stall)
    const body = `${new URLSearchParams(form)}&more=${'x'.repeat(8 * 1024 * 1024)}`
    expect((await raw(stall, FORM, body)).status).toBe(400)
    expect(stall.provider.count('POST /token')).toBe(0)
  })

  it('no more than our limit, with thousands of fields', async () => {
    const stall = await openStall(byPost)
    const { form } = await answerOf(stall)
    const fields = Array.from({ length: 6_000 }, (_, index) => `f${index}=`).join('&')
    const began = performance.now()
    const answer = await raw(stall, FORM, `${new URLSearchParams(form)}&${fields}`)
    // Nothing comes twice, so it is good, strange as it is; and it is quick.
    expect(answer.status).toBe(303)
    expect(performance.now() - began).toBeLessThan(5_000)
  })

  it('with bytes that are no UTF-8, and percent signs that encode nothing', async () => {
    const stall = await openStall(byPost)
    await answerOf(stall)
    const bytes = Buffer.concat([Buffer.from('state=%zz&code='), Buffer.from([0xff, 0xfe, 0x00, 0xc0, 0xaf])])
    expect((await raw(stall, FORM, bytes)).status).toBe(400)
  })

  it('broken off half-way: nothing hangs, and the next one is served', async () => {
    let arrived = () => {}
    const half = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const stall = await openStall({
      ...byPost,
      async before({ headers }) {
        if (headers['content-length'] === '500') arrived()
      },
    })
    const { url, form } = await answerOf(stall)
    const connection = await connectRaw(stall.port)
    const cookie = stall.browser.cookies('app.example.test').join('; ')
    connection.write(
      `POST /.sallyport/callback/corp HTTP/1.1\r\nHost: app.example.test\r\nCookie: ${cookie}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 500\r\n\r\nstate=${form.state}&co`,
    )
    const told = new Promise<void>((resolve) => {
      const stop = stall.guard.on('login', ({ kind }) => {
        if (kind !== 'failed') return
        stop()
        resolve()
      })
    })
    await half
    // The guard has seen it by then: of a connection that was reset before, it would hear nothing.
    await new Promise(setImmediate)
    connection.socket.resetAndDestroy()
    await told
    await stall.browser.load(url, { method: 'POST', form, headers: crossSite })
    expect(await whoIs(stall.browser, `${ORIGIN}/`)).toBe('alice')
  })

  describe('where a body parser was there first', () => {
    /** Reads the body, and leaves what `parse` makes of it. */
    const parsing = (parse: (body: Buffer) => unknown): StallOptions => ({
      ...byPost,
      async before(request) {
        const chunks: Uint8Array[] = []
        for await (const chunk of request) chunks.push(chunk as Uint8Array)
        Object.assign(request, { body: parse(Buffer.concat(chunks)) })
      },
    })
    const entries = (body: Buffer) => Object.fromEntries(new URLSearchParams(body.toString()))

    it.each([
      ['an object', entries],
      ['a text', (body: Buffer) => body.toString()],
      ['the bytes', (body: Buffer) => body],
      ['an object without a prototype', (body: Buffer) => Object.assign(Object.create(null), entries(body))],
    ] as const)('%s will do', async (_what, parse) => {
      const stall = await openStall(parsing(parse))
      const { url, form } = await answerOf(stall)
      await stall.browser.load(url, { method: 'POST', form, headers: crossSite })
      expect(await whoIs(stall.browser, `${ORIGIN}/`)).toBe('alice')
    })

    it.each([
      ['lists', (body: Buffer) => ({ ...entries(body), state: [entries(body).state, entries(body).state] })],
      ['objects', (body: Buffer) => ({ ...entries(body), state: { a: entries(body).state } })],
      ['a number', () => 42],
      ['null', () => null],
      ['an object that throws', () => ({ toString: () => 1, state: Object.create(null) })],
      ['bytes of 8 MB', () => Buffer.alloc(8 * 1024 * 1024, 'a=b&')],
      ['a text of 8 MB', () => 'a=b&'.repeat(2 * 1024 * 1024)],
      ['a list of ten thousand', () => Array(10_000).fill('x')],
    ] as const)('%s will not, and do no harm', async (_what, parse) => {
      const stall = await openStall(parsing(parse))
      const { url, form } = await answerOf(stall)
      const began = performance.now()
      const page = await stall.browser.load(url, { method: 'POST', form, headers: crossSite })
      expect([page.status, cookiesSet(page)]).toEqual([400, []])
      expect(performance.now() - began).toBeLessThan(5_000)
      expect(stall.provider.count('POST /token')).toBe(0)
    })

    it('the stream read and nothing left of it: an answer, not for ever waiting', async () => {
      const stall = await openStall(parsing(() => undefined))
      const { url, form } = await answerOf(stall)
      const page = await stall.browser.load(url, { method: 'POST', form, headers: crossSite })
      expect(page.status).toBe(400)
    })
  })
})
