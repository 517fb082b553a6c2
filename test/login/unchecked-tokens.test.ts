/** New tokens that cannot be checked just now, by their key or by a clock, and those that only look like it. */
import { describe, expect, it } from 'vitest'
import { createKey, type SigningKey, signToken } from '../support/keys.ts'
import { type Grant, LOGOUT_EVENT, type RogueHooks } from './rogue-provider.ts'
import { openStall, type Stall, type StallOptions } from './stall.ts'

type Claims = Record<string, unknown>
type Changed = (claims: Claims, grant: Grant, refresh: boolean) => Claims | string | Promise<string>

const routes: StallOptions['routes'] = [
  { path: '/', auth: { type: 'jwt', integration: 'corp', login: true, claims: { groups: 'staff' } } },
]
const accessOnly: StallOptions = { routes }
const idTokenOnly: StallOptions = { routes, integration: { jwtSource: 'id_token', audience: 'shop' } }
const judged: [source: string, options: StallOptions][] = [
  ['access token', accessOnly],
  ['ID token', idTokenOnly],
]

/** Hooks by which both tokens of a refresh are as `change` has them. */
const both = (change: Changed): RogueHooks => {
  const changed: Changed = (claims, grant, refresh) => (refresh ? change(claims, grant, refresh) : claims)
  return { accessToken: changed, idToken: changed }
}
const inGroup = (group: string) => (claims: Claims) => ({ ...claims, groups: [group] })
const signedBy = (key: SigningKey) => (claims: Claims) => signToken(key, { ...claims, groups: ['left'] })

const status = async (stall: Stall) => (await stall.browser.script(`${stall.origin}/`)).status
const reasons = (stall: Stall) =>
  stall.logins.filter(({ kind }) => kind === 'refresh_failed').map(({ reason }) => reason)

/** Somebody of `staff`, whose refreshes bring what `hooks` make of it. */
async function signedIn(options: StallOptions, hooks: RogueHooks): Promise<Stall> {
  const stall = await openStall(options)
  stall.provider.hooks = { accessToken: inGroup('staff'), idToken: inGroup('staff') }
  await stall.browser.load(`${stall.origin}/`)
  expect(await status(stall)).toBe(200)
  stall.provider.hooks = hooks
  return stall
}

describe.each(judged)('the %s that is judged', (_source, options) => {
  it('by a key that is not published yet: what was known counts meanwhile, and then the new token', async () => {
    const next = await createKey('ES256', 'rogue-2')
    const stall = await signedIn(options, both(signedBy(next)))
    stall.clock.advance(3601)
    expect(await status(stall)).toBe(200)
    expect(reasons(stall)).toEqual(['unchecked'])
    stall.provider.hooks.keys = () => [next.jwk]
    stall.clock.advance(295)
    // Still good for a moment, and looked at meanwhile.
    await status(stall)
    await expect.poll(() => status(stall)).toBe(403)
    expect(reasons(stall)).not.toContain('reauth_required')
    expect(stall.provider.count('POST /token')).toBe(2)
  })

  it('by a key that is never published: five minutes, and no longer, but the session is there when it is', async () => {
    const next = await createKey('ES256', 'rogue-2')
    const stall = await signedIn(options, both(signedBy(next)))
    stall.clock.advance(3601)
    expect(await status(stall)).toBe(200)
    stall.clock.advance(305)
    for (let minute = 0; minute < 12; minute++) {
      expect(await status(stall)).toBe(503)
      stall.clock.advance(60)
    }
    stall.provider.hooks.keys = () => [next.jwk]
    stall.clock.advance(600)
    expect(await status(stall)).toBe(403)
    expect(reasons(stall)).not.toContain('reauth_required')
  })

  it('where the key set is empty for a moment', async () => {
    const stall = await signedIn(options, { ...both(inGroup('staff')), keys: () => [] })
    stall.clock.advance(3601)
    expect(await status(stall)).toBe(200)
    expect(reasons(stall)).toEqual(['unchecked'])
    delete stall.provider.hooks.keys
    stall.clock.advance(310)
    expect(await status(stall)).toBe(200)
  })

  it('that begins in a few seconds', async () => {
    const stall = await signedIn(
      options,
      both((claims) => ({ ...claims, groups: ['staff'], nbf: Number(claims.iat) + 8 })),
    )
    stall.clock.advance(3595)
    expect(await status(stall)).toBe(200)
    await expect.poll(() => reasons(stall)).toEqual(['unchecked'])
    stall.clock.advance(290)
    expect(await status(stall)).toBe(200)
    await expect.poll(() => stall.logins.filter(({ kind }) => kind === 'refreshed').length).toBe(2)
    expect(stall.provider.count('POST /token')).toBe(2)
    stall.clock.advance(60)
    expect(await status(stall)).toBe(200)
  })

  it('that is over by a clock which is ahead: nobody gets in by it, and everybody does once it is right', async () => {
    const late = (claims: Claims) => ({
      ...claims,
      groups: ['staff'],
      iat: Number(claims.iat) - 7100,
      exp: Number(claims.exp) - 7100,
    })
    const stall = await signedIn(options, both(late))
    stall.clock.advance(7200)
    expect(await status(stall)).toBe(503)
    expect(await status(stall)).toBe(503)
    expect(stall.provider.count('POST /token')).toBe(2)
    stall.clock.advance(-7100)
    stall.provider.hooks = both(inGroup('staff'))
    expect(await status(stall)).toBe(200)
    stall.clock.advance(3601)
    expect(await status(stall)).toBe(200)
    expect(reasons(stall)).not.toContain('reauth_required')
  })

  const strangers = createKey('ES256', 'rogue-1')
  it.each<[what: string, change: Changed]>([
    ['signed by somebody else', async (claims) => signToken(await strangers, claims)],
    [
      'of another issuer, by an unknown key',
      async (claims) => signToken(await createKey('ES256', 'x'), { ...claims, iss: 'x' }),
    ],
    ['for another audience, and not valid yet', (claims) => ({ ...claims, aud: 'x', nbf: Number(claims.iat) + 8 })],
    ['for something else', (claims) => ({ ...claims, events: { [LOGOUT_EVENT]: {} } })],
    ['whose beginning is a text', (claims) => ({ ...claims, nbf: String(claims.iat) })],
    ['that begins after its end', (claims) => ({ ...claims, nbf: Number(claims.exp) + 1 })],
    ['without an end', ({ exp: _, ...claims }) => claims],
    ['that was over when it was made', (claims) => ({ ...claims, exp: Number(claims.iat) - 60 })],
    ['that is over and does not say when it was made', ({ iat, ...claims }) => ({ ...claims, exp: Number(iat) - 60 })],
    [
      'that is over, and older than the one of before',
      (claims) => ({ ...claims, iat: Number(claims.iat) - 3602, exp: Number(claims.exp) - 3700 }),
    ],
  ])('%s ends the session', async (_what, change) => {
    const stall = await signedIn(options, both(change))
    stall.clock.advance(3601)
    expect(await status(stall)).toBe(403)
    expect(reasons(stall)).toEqual(['reauth_required'])
  })

  it('that is over and the very one of before ends the session; another that was made at once with it does not', async () => {
    const first = new Map<string, Claims>()
    const again: Changed = (claims, grant, refresh) => {
      const made = first.get(`${claims.aud} ${grant.sid}`) ?? { ...claims, groups: ['staff'] }
      first.set(`${claims.aud} ${grant.sid}`, made)
      return refresh && grant.subject === 'bob' ? { ...made, jti: 'another' } : made
    }
    const stall = await openStall(options)
    stall.provider.hooks = { accessToken: again, idToken: again }
    const ends: [string, number, (string | null)[]][] = [
      ['alice', 403, ['reauth_required']],
      ['bob', 200, ['unchecked']],
    ]
    for (const [subject, expected, told] of ends) {
      stall.provider.subject = subject
      stall.logins.length = 0
      const browser = stall.newBrowser()
      await browser.load(`${stall.origin}/`)
      stall.clock.advance(3610)
      expect((await browser.script(`${stall.origin}/`)).status).toBe(expected)
      expect(reasons(stall)).toEqual(told)
    }
  })
})

describe('an ID token beside the access token that is judged', () => {
  it.each<[what: string, change: Changed]>([
    ['by a key that is not published yet', async (claims) => signToken(await createKey('ES256', 'rogue-2'), claims)],
    ['that begins in a few seconds', (claims) => ({ ...claims, nbf: Number(claims.iat) + 8 })],
    ['that has just run out', (claims) => ({ ...claims, iat: Number(claims.iat) - 60, exp: Number(claims.iat) - 10 })],
  ])('%s: the session goes on with the access token', async (_what, idToken) => {
    const stall = await signedIn(accessOnly, { idToken, accessToken: inGroup('staff') })
    stall.clock.advance(3601)
    expect(await status(stall)).toBe(200)
    expect(reasons(stall)).toEqual(['unchecked'])
    stall.provider.hooks.accessToken = inGroup('left')
    stall.clock.advance(3601)
    expect(await status(stall)).toBe(403)
    expect(reasons(stall)).not.toContain('reauth_required')
  })

  it.each<[what: string, change: Changed]>([
    ['of somebody else', (claims) => ({ ...claims, sub: 'bob' })],
    ['of another sign-in', (claims) => ({ ...claims, nonce: 'another' })],
    ['for another client', (claims) => ({ ...claims, aud: 'another' })],
  ])('%s ends the session, whatever key has signed it', async (_what, change) => {
    const next = await createKey('ES256', 'rogue-2')
    const idToken: Changed = async (...of) => signToken(next, (await change(...of)) as Claims)
    const stall = await signedIn(accessOnly, { idToken, accessToken: inGroup('staff') })
    stall.clock.advance(3601)
    expect(await status(stall)).toBe(403)
    expect(reasons(stall)).toEqual(['reauth_required'])
  })
})

it('a key of another tenant is known, and ends the session', async () => {
  const tid = '11111111-1111-4111-8111-111111111111'
  const template = (url: string) => `${url}/{tenantid}/v2.0`
  let url = ''
  const stall = await openStall({
    // The address is known only once the provider runs.
    integration: {
      tenants: [tid],
      get issuer() {
        return template(url)
      },
      get metadataUrl() {
        return `${url}/.well-known/openid-configuration`
      },
    },
    prepare({ issuer, hooks }) {
      url = issuer
      const ofTenant: Changed = (claims) => ({ ...claims, iss: `${issuer}/${tid}/v2.0`, tid })
      hooks.metadata = (document) => ({ ...document, issuer: template(issuer) })
      hooks.accessToken = ofTenant
      hooks.idToken = ofTenant
    },
  })
  await stall.browser.load(`${stall.origin}/`)
  stall.clock.advance(3601)
  expect(await status(stall)).toBe(200)
  const other = `${stall.provider.issuer}/22222222-2222-4222-8222-222222222222/v2.0`
  stall.provider.hooks.keys = (own) => [{ ...(own as Claims), issuer: other }]
  stall.clock.advance(3601)
  expect(await status(stall)).toBe(403)
  expect(reasons(stall)).toEqual(['reauth_required'])
})
