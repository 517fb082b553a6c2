/** Back-channel sign-out where one integration has several tenants: the same `sub` or `sid` at another is somebody else. */
import { describe, expect, it } from 'vitest'
import type { Integration } from '../../src/index.ts'
import { openStall, type Stall, whoIs } from './stall.ts'

const ONE = '11111111-1111-4111-8111-111111111111'
const TWO = '22222222-2222-4222-8222-222222222222'

/** A stall for people of two tenants, and what tokens of one of them say. */
async function openWithTenants() {
  const integration: { -readonly [Key in keyof Integration]?: Integration[Key] } = { tenants: [ONE, TWO] }
  const stall = await openStall({
    integration,
    prepare(provider) {
      const issuer = `${provider.issuer}/{tenantid}/v2.0`
      integration.issuer = issuer
      integration.metadataUrl = `${provider.issuer}/.well-known/openid-configuration`
      provider.hooks.metadata = (document) => ({ ...document, issuer })
    },
  })
  const of = (tid: string) => ({ iss: `${stall.provider.issuer}/${tid}/v2.0`, tid })
  return { stall, of }
}

async function send({ provider, origin, newBrowser }: Stall, claims: Record<string, unknown>): Promise<number> {
  const form = { logout_token: await provider.logoutToken(claims) }
  return (await newBrowser().load(`${origin}/.sallyport/back-channel/corp`, { method: 'POST', form })).status
}

describe('a logout token of one tenant', () => {
  it.each([
    [{ sub: 'alice' }, false],
    [{ sid: 'same' }, false],
    [{ sub: 'alice', sid: 'same' }, false],
    [{ sid: 'same' }, true],
  ])("(%j, sid with a refresh: %s) ends no session of another's person", async (names, refresh) => {
    const { stall, of } = await openWithTenants()
    const { hooks } = stall.provider
    const browsers = [stall.browser, stall.newBrowser()]
    const tenants = [ONE, TWO]
    let tid = ONE
    hooks.accessToken = (claims) => ({ ...claims, ...of(tid) })
    hooks.idToken = ({ sid: _, ...claims }, _grant, again) => ({
      ...claims,
      ...of(tid),
      ...((again || !refresh) && { sid: 'same' }),
    })
    for (const [index, browser] of browsers.entries()) {
      tid = tenants[index] ?? ''
      await browser.load(`${stall.origin}/`)
    }
    if (refresh) {
      stall.clock.advance(3601)
      for (const [index, browser] of browsers.entries()) {
        tid = tenants[index] ?? ''
        expect(await whoIs(browser, `${stall.origin}/`)).toBe('alice')
      }
    }
    const who = () => Promise.all(browsers.map((browser) => whoIs(browser, `${stall.origin}/`)))
    expect(await send(stall, { ...names, ...of(ONE) })).toBe(200)
    expect(await who()).toEqual([null, 'alice'])
    expect(await send(stall, { ...names, ...of(TWO) })).toBe(200)
    expect(await who()).toEqual([null, null])
  })

  it.each([
    [ONE, 'alice'],
    [TWO, null],
  ])('%s, while somebody of 2222… with that sub signs in: %s', async (tid, who) => {
    const { stall, of } = await openWithTenants()
    const { hooks } = stall.provider
    hooks.accessToken = (claims) => ({ ...claims, ...of(TWO) })
    hooks.idToken = async (claims) => {
      expect(await send(stall, { sub: 'alice', ...of(tid) })).toBe(200)
      return { ...claims, ...of(TWO) }
    }
    await stall.browser.load(`${stall.origin}/`)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(who)
  })
})
