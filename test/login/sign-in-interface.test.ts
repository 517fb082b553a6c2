/** The guard as a `SignIn` for other gates. */
import { describe, expect, it } from 'vitest'
import { createGuard } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { request } from '../guard/harness.ts'
import { openShop, visit } from './setup.ts'

describe('G22 the guard as SignIn', () => {
  it('says who is signed in: the same identity as by a token of the same person', async () => {
    const { browser, origin, guard } = await openShop()
    const host = new URL(origin).host
    expect(await guard.identify(request({ host }))).toBeNull()
    const page = await visit(browser, `${origin}/`)
    const { auth } = JSON.parse(page.body) as { auth: { id: string } }
    const identity = await guard.identify(
      request({ host, headers: { Cookie: browser.cookies('127.0.0.1').join('; ') } }),
    )
    expect(identity).toMatchObject({
      id: auth.id,
      integration: 'corp',
      subject: 'alice',
      groups: ['staff', 'admin'],
      email: 'alice@example.com',
    })
  })

  it('hands out the renewed cookie of a session that is in use, apart from who it is', async () => {
    const { browser, origin, guard, clock } = await openShop({ login: { store: memoryStore(), idleSeconds: 100 } })
    await visit(browser, `${origin}/`)
    const asked = () =>
      request({ host: new URL(origin).host, headers: { Cookie: browser.cookies('127.0.0.1').join('; ') } })
    const lines: string[] = []
    const setCookies = (each: readonly string[]) => lines.push(...each)
    await guard.identify(asked(), { setCookies })
    expect(lines).toEqual([])
    clock.advance(10)
    const identity = await guard.identify(asked(), { setCookies })
    expect(lines).toEqual([expect.stringMatching(/^sallyport[^=]*\.corp=/)])
    expect(JSON.stringify(identity)).not.toContain('sallyport')
  })

  it('an e-mail address that nobody has verified is not passed on', async () => {
    const { browser, origin, guard } = await openShop()
    await visit(browser, `${origin}/`, 'bob')
    const headers = { Cookie: browser.cookies('127.0.0.1').join('; ') }
    expect(await guard.identify(request({ host: new URL(origin).host, headers }))).not.toHaveProperty('email')
  })

  it('sends people to sign in, and then to a page of ours', async () => {
    const { browser, origin, guard } = await openShop()
    const reply = await guard.start(request({ host: new URL(origin).host }), '/connect/abc')
    expect(reply.status).toBe(302)
    const cookie = [reply.headers?.['set-cookie'] ?? []].flat()[0] ?? ''
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
    browser.setCookie('127.0.0.1', name, value)
    const page = await visit(browser, String(reply.headers?.location))
    expect(page.url).toBe(`${origin}/connect/abc`)
  })

  it('nowhere else', async () => {
    const { browser, origin, guard } = await openShop()
    const reply = await guard.start(request({ host: new URL(origin).host }), 'https://evil.test/')
    const cookie = [reply.headers?.['set-cookie'] ?? []].flat()[0] ?? ''
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
    browser.setCookie('127.0.0.1', name, value)
    expect((await visit(browser, String(reply.headers?.location))).url).toBe(`${origin}/`)
  })

  it('a guard without login knows nobody, and says so when asked to sign somebody in', async () => {
    const guard = createGuard({ routes: [{ auth: { type: 'none' } }] })
    expect(await guard.identify(request())).toBeNull()
    await expect(async () => guard.start(request(), '/')).rejects.toThrow(/no login/)
    expect(guard.integrations).toEqual([])
  })

  it('tells whose people can sign in: those of integrations with a client', async () => {
    const { guard } = await openShop()
    expect(guard.integrations).toEqual(['corp'])
    expect(Object.isFrozen(guard.integrations)).toBe(true)
  })
})
