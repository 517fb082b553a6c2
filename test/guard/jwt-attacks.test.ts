/** Attacks on the verification of tokens, against a guard with a real key set server and an attacker's server beside it. */
import { createHmac, createPublicKey, type JsonWebKey } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  base64url,
  createKey,
  forge,
  type ProviderServer,
  renamed,
  type SigningKey,
  signText,
  signToken,
  startProvider,
} from '../support/keys.ts'
import { ask, authOf, claimsFor, jwtGuard, replyTo, withToken } from './harness.ts'

let ec: SigningKey
let rsa: SigningKey
let mallory: SigningKey
let provider: ProviderServer
let evil: ProviderServer

beforeAll(async () => {
  ec = await createKey('ES256', 'ec')
  rsa = await createKey('RS256', 'rsa')
  mallory = await createKey('ES256', 'mallory')
  provider = await startProvider(ec, rsa)
  evil = await startProvider(mallory, renamed(mallory, 'ec'))
  evil.documents.set('/.well-known/openid-configuration', { issuer: evil.url, jwks_uri: evil.jwksUri })
})

afterAll(() => Promise.all([provider.close(), evil.close()]))

beforeEach(() => {
  evil.asked.length = 0
  provider.asked.length = 0
})

/**
 * A guard, and the claims of a token that it would accept if it were signed. Only the first look for an unknown key is
 * made at once, so what leads to looks is asked all at the same time.
 */
function setUp() {
  const { guard, clock, events } = jwtGuard(provider)
  return { guard, clock, events, claims: claimsFor(provider, clock, { sub: 'root' }) }
}

describe('A6 a token leads the guard nowhere', () => {
  it('not by jku, x5u, jwk, x5c, kid or iss', async () => {
    const { guard, claims } = setUp()
    const url = evil.jwksUri
    const tokens = await Promise.all([
      signToken(mallory, claims, { jku: url }),
      signToken(mallory, claims, { jku: url, kid: 'ec' }),
      signToken(mallory, claims, { x5u: url, kid: 'ec' }),
      signToken(mallory, claims, { jwk: mallory.jwk, kid: 'ec' }),
      signToken(mallory, claims, { x5c: ['MIIB'], x5t: 'AAAA', kid: 'ec' }),
      signToken(mallory, claims, { kid: url }),
      signToken(mallory, { ...claims, iss: evil.url }),
      signToken(mallory, { ...claims, iss: [provider.url, evil.url] }),
      signToken(mallory, { ...claims, iss: `${provider.url}@127.0.0.1:${new URL(evil.url).port}` }),
      signToken(mallory, { ...claims, iss: `${provider.url}/../` }),
    ])
    // Those with an unknown kid wait for one fetch from the configured provider together.
    const answers = await Promise.all(tokens.map((token) => ask(guard, withToken(token))))
    expect(answers).toEqual(tokens.map(() => 401))
    expect(evil.asked).toEqual([])
    const nameless = await signToken(mallory, claims, { jwk: mallory.jwk, kid: undefined })
    expect(await ask(setUp().guard, withToken(nameless))).toBe(401)
    expect(evil.asked).toEqual([])
    expect(new Set(provider.asked)).toEqual(new Set(['/jwks']))
  })
})

describe('A6 forged signatures', () => {
  it('none of the classics passes', async () => {
    const { guard, claims } = setUp()
    const spki = createPublicKey({ key: rsa.jwk as JsonWebKey, format: 'jwk' }).export({ format: 'pem', type: 'spki' })
    const hs = forge({ alg: 'HS256', typ: 'JWT', kid: 'rsa' }, claims, '')
    const good = await signToken(ec, claimsFor(provider, { now: () => 0, advance: () => {} }, { exp: 2_000_000_000 }))
    const [header = '', , signature = ''] = good.split('.')
    const payload = base64url(JSON.stringify(claims))
    const tokens: Record<string, string> = {
      none: forge({ alg: 'none' }, claims, ''),
      'none with the signature of another': forge({ alg: 'none', kid: 'ec' }, claims, signature),
      'HS256 with the public key': hs + createHmac('sha256', spki).update(hs.slice(0, -1)).digest('base64url'),
      'HS256 with an empty secret': hs + createHmac('sha256', '').update(hs.slice(0, -1)).digest('base64url'),
      'the signature of another token': `${header}.${payload}.${signature}`,
      'no signature': `${header}.${payload}.`,
      'zeros for ECDSA': forge({ alg: 'ES256', kid: 'ec' }, claims, base64url(Buffer.alloc(64))),
      'EC key for RS256': signText(ec, '{"alg":"RS256","kid":"rsa"}', JSON.stringify(claims)),
      'RSA key for ES256': signText(rsa, '{"alg":"ES256","kid":"ec"}', JSON.stringify(claims)),
      'RS256 said to be PS256': signText(rsa, '{"alg":"PS256","kid":"rsa"}', JSON.stringify(claims)),
      'RS256 said to be RS512': signText(rsa, '{"alg":"RS512","kid":"rsa"}', JSON.stringify(claims)),
      'another key with the same kid': signText(mallory, '{"alg":"ES256","kid":"ec"}', JSON.stringify(claims)),
      'another key without a kid': signText(mallory, '{"alg":"ES256"}', JSON.stringify(claims)),
      crit: signText(ec, '{"alg":"ES256","kid":"ec","crit":["exp"],"exp":1}', JSON.stringify(claims)),
      'b64 false': signText(ec, '{"alg":"ES256","kid":"ec","b64":false,"crit":["b64"]}', JSON.stringify(claims)),
      'two algs, the last one none': signText(ec, '{"alg":"ES256","kid":"ec","alg":"none"}', JSON.stringify(claims)),
      'kid as a list': signText(ec, '{"alg":"ES256","kid":["ec"]}', JSON.stringify(claims)),
      'kid null': signText(ec, '{"alg":"ES256","kid":null}', JSON.stringify(claims)),
      'payload a list': signText(ec, '{"alg":"ES256","kid":"ec"}', JSON.stringify([claims])),
      'payload a string': signText(ec, '{"alg":"ES256","kid":"ec"}', JSON.stringify(JSON.stringify(claims))),
      'claims in the prototype': signText(ec, '{"alg":"ES256","kid":"ec"}', `{"__proto__":${JSON.stringify(claims)}}`),
      'a good token in brackets': `[${good}]`,
      'a good token with something behind it': `${good}.x`,
      'a good token twice': `${good}${good}`,
    }
    const answers = await Promise.all(
      Object.entries(tokens).map(async ([name, token]) => [name, await ask(guard, withToken(token))]),
    )
    expect(Object.fromEntries(answers)).toEqual(Object.fromEntries(Object.keys(tokens).map((name) => [name, 401])))
  })

  it('of two equal keys in a payload the last counts, for the checks and for the application alike', async () => {
    const { guard, claims } = setUp()
    const text = JSON.stringify(claims)
    const twice = (first: string, last: string) => text.replace('{', `{${first},`).replace(/}$/, `,${last}}`)
    const sign = (payload: string) => signText(ec, '{"alg":"ES256","kid":"ec"}', payload)
    expect(await ask(guard, withToken(sign(twice('"exp":9999999999', '"exp":1'))))).toBe(401)
    expect(await ask(guard, withToken(sign(twice('"aud":"orders-api"', '"aud":"x"'))))).toBe(401)
    const auth = await authOf(guard, withToken(sign(twice('"sub":"ann"', '"sub":"bob"'))))
    expect([auth.subject, auth.claims?.sub]).toEqual(['bob', 'bob'])
  })

  it('a cached token opens nothing for one that ends the same', async () => {
    const { guard, claims, clock } = setUp()
    const good = await signToken(ec, claimsFor(provider, clock, { sub: 'ann' }))
    expect(await ask(guard, withToken(good))).toBe('pass')
    const [header = '', payload = '', signature = ''] = good.split('.')
    const forged = [
      `${header}.${base64url(JSON.stringify(claims))}.${signature}`,
      `${header}.${payload}x.${signature}`,
      `${header.slice(0, -1)}.${payload}.${signature}`,
      `x.${signature}`,
      signature,
      good.slice(-32),
      `${good.slice(0, 5)}${good.slice(-32)}`,
    ]
    for (const token of forged) expect(await ask(guard, withToken(token))).toBe(401)
    expect((await authOf(guard, withToken(good))).subject).toBe('ann')
  })

  it('every change of one character of a good token is refused, or spells the same bytes', async () => {
    const { guard, clock } = setUp()
    const good = await signToken(ec, claimsFor(provider, clock, { sub: 'ann' }))
    expect(await ask(guard, withToken(good))).toBe('pass')
    const bytes = (token: string) => token.split('.').map((part) => Buffer.from(part, 'base64url').toString('hex'))
    const changed = Array.from(
      good,
      (letter, index) => `${good.slice(0, index)}${letter === 'A' ? 'B' : 'A'}${good.slice(index + 1)}`,
    )
    const answers = await Promise.all(changed.map((token) => ask(guard, withToken(token))))
    for (const [index, answer] of answers.entries()) {
      if (answer === 'pass') expect(bytes(changed[index] ?? '')[2]).toEqual(bytes(good)[2])
      else expect(answer).toBe(401)
    }
  })
})

describe('A6 odd requests', () => {
  it.each([
    ['64 KiB of letters', 'A'.repeat(65_536)],
    ['a megabyte', `a.b.${'A'.repeat(1_000_000)}`],
    ['a megabyte of dots', '.'.repeat(1_000_000)],
    ['commas', 'a.b.c, Bearer d.e.f'],
    ['controls', 'a.b.c\u0001'],
    ['letters beyond ASCII', 'a.b.ç'],
  ])('%s: 401', async (_, token) => {
    const { guard } = setUp()
    expect(await ask(guard, withToken(token))).toBe(401)
  })

  it('what is answered says nothing of the token or of the reason', async () => {
    const { guard, claims } = setUp()
    const secret = 'very-secret-thing'
    const token = await signToken(mallory, { ...claims, secret }, { kid: secret })
    for (const asked of [token, `${secret}.x.y`, forge({ alg: secret }, claims)]) {
      expect(JSON.stringify(await replyTo(guard, withToken(asked)))).not.toContain(secret)
    }
  })
})
