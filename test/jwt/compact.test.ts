import { describe, expect, it } from 'vitest'
import { type HeaderCache, parseCompactJwt as parse } from '../../src/jwt/compact.ts'
import { base64url, forge } from '../support/keys.ts'

/** Header and claims of a token, with nothing remembered; `undefined` where either cannot be used. */
function parseCompactJwt(token: string) {
  const jwt = parse(token, new Map())
  return jwt?.body && { header: jwt.header, payload: jwt.body.claims, bytes: jwt.body.bytes }
}

const HEADER = { alg: 'RS256', kid: 'k', typ: 'JWT' }

describe('A6 a token in compact form (RFC 7515 §7.1)', () => {
  it('is taken apart', () => {
    const payload = { sub: 'ann', ключ: 'значение' }
    expect(parseCompactJwt(forge(HEADER, payload))).toEqual({
      header: { alg: 'RS256', kid: 'k', typ: 'jwt' },
      payload,
      bytes: JSON.stringify(payload).length,
    })
  })

  it('reads typ without regard to case and without "application/"', () => {
    expect(parseCompactJwt(forge({ alg: 'ES256', typ: 'application/AT+JWT' }, {}))?.header.typ).toBe('at+jwt')
    expect(parseCompactJwt(forge({ alg: 'ES256', typ: 'APPLICATION/at+jwt' }, {}))?.header.typ).toBe('at+jwt')
    expect(parseCompactJwt(forge({ alg: 'ES256' }, {}))?.header).toEqual({ alg: 'ES256' })
  })

  it('keeps of the header only what is used: no jku, jwk, x5u, x5c', () => {
    const header = {
      ...HEADER,
      jku: 'https://evil.example/',
      jwk: { kty: 'RSA' },
      x5u: 'https://evil.example/',
      x5c: ['MII'],
    }
    expect(Object.keys(parseCompactJwt(forge(header, {}))?.header ?? {})).toEqual(['alg', 'kid', 'typ'])
  })

  it('allows an empty signature here, which no key will have made', () => {
    expect(parseCompactJwt(forge({ alg: 'none' }, { sub: 'ann' }, ''))?.header.alg).toBe('none')
  })

  const good = forge(HEADER, { sub: 'ann' })
  const [head = '', body = '', signature = ''] = good.split('.')
  const refused: [string, string][] = [
    ['nothing', ''],
    ['dots only', '..'],
    ['one part', head],
    ['two parts', `${head}.${body}`],
    ['four parts', `${good}.${signature}`],
    ['a JWE, which has five', `${head}.${body}.${signature}.${body}.${signature}`],
    ['a JWE with an empty key part', `${head}..${signature}.${body}.${signature}`],
    ['the JSON serialisation', JSON.stringify({ protected: head, payload: body, signature })],
    ['the general JSON serialisation', JSON.stringify({ payload: body, signatures: [{ protected: head, signature }] })],
    ['an empty header', `.${body}.${signature}`],
    ['an empty payload', `${head}..${signature}`],
    ['padding', `${head}=.${body}.${signature}`],
    ['the other base64 alphabet', `${head}.${body}.a+b/`],
    ['a space in front', ` ${good}`],
    ['a space behind', `${good} `],
    ['a line break behind', `${good}\n`],
    ['a line break inside', `${head}.${body}\n.${signature}`],
    ['a NUL', `${good}\0`],
    ['a letter that is not ASCII', `${head}.${body}.sígn`],
    ['two tokens', `${good},${good}`],
    ['more than 64 KiB', `${good}${'A'.repeat(65_536)}`],
    ['a header that is not JSON', forge('alg=RS256', {})],
    ['a header that is a list', forge('[{"alg":"RS256"}]', {})],
    ['a header that is null', forge('null', {})],
    ['a header that is a string', forge('"RS256"', {})],
    ['a header with something behind it', forge('{"alg":"RS256"}{}', {})],
    ['a header with a byte order mark', forge('\uFEFF{"alg":"RS256"}', {})],
    ['no alg', forge({ kid: 'k' }, {})],
    ['an alg that is a list', forge({ alg: ['RS256'] }, {})],
    ['an alg that is null', forge({ alg: null }, {})],
    ['an alg that is an object', forge({ alg: { toString: 'RS256' } }, {})],
    ['a kid that is a number', forge({ alg: 'RS256', kid: 1 }, {})],
    ['a kid that is a list', forge({ alg: 'RS256', kid: ['k'] }, {})],
    ['a kid that is null', forge({ alg: 'RS256', kid: null }, {})],
    ['a kid that is an object', forge({ alg: 'RS256', kid: {} }, {})],
    ['a typ that is a list', forge({ alg: 'RS256', typ: ['JWT'] }, {})],
    ['critical extensions', forge({ alg: 'RS256', crit: ['exp'], exp: 1 }, {})],
    ['an empty list of critical extensions', forge({ alg: 'RS256', crit: [] }, {})],
    ['critical extensions that are null', forge({ alg: 'RS256', crit: null }, {})],
    ['a payload that is not encoded (RFC 7797)', forge({ alg: 'RS256', b64: false, crit: ['b64'] }, {})],
    ['b64 without crit', forge({ alg: 'RS256', b64: false }, {})],
    ['a payload that is not JSON', forge(HEADER, 'sub=ann')],
    ['a payload that is a list', forge(HEADER, '[]')],
    ['a payload that is null', forge(HEADER, 'null')],
    ['a payload that is a number', forge(HEADER, '1')],
    ['a payload that is another token', forge({ ...HEADER, cty: 'JWT' }, good)],
    ['a payload with a trailing comma', forge(HEADER, '{"sub":"ann",}')],
    ['a payload with a comment', forge(HEADER, '{"sub":"ann"/**/}')],
  ]
  it.each(refused)('refuses %s', (_, token) => {
    expect(parseCompactJwt(token)).toBeUndefined()
  })

  it('takes up to 64 KiB', () => {
    const filled = (length: number) => {
      const start = `${forge(HEADER, {}, '')}`
      return start + 'A'.repeat(length - start.length)
    }
    expect(parseCompactJwt(filled(65_536))).toBeDefined()
    expect(parseCompactJwt(filled(65_537))).toBeUndefined()
  })

  it('takes nesting as deep as 64 KiB allow', () => {
    const depth = 20_000
    const token = forge(HEADER, `{"aud":${'['.repeat(depth)}${']'.repeat(depth)}}`)
    expect(parseCompactJwt(token)?.payload).toHaveProperty('aud')
  })

  it('of duplicate keys takes the last, as jose does', () => {
    const token = forge('{"alg":"none","alg":"RS256"}', '{"sub":"ann","sub":"bob"}')
    expect(parseCompactJwt(token)).toMatchObject({ header: { alg: 'RS256' }, payload: { sub: 'bob' } })
  })

  it('takes __proto__ and constructor for ordinary keys', () => {
    const parsed = parseCompactJwt(forge('{"__proto__":{"alg":"RS256"}}', {}))
    expect(parsed).toBeUndefined()
    const payload = parseCompactJwt(
      forge(HEADER, '{"__proto__":{"admin":true},"constructor":{"prototype":{}}}'),
    )?.payload
    expect(payload?.admin).toBeUndefined()
    expect(Object.getPrototypeOf(payload)).toBe(Object.prototype)
    expect(({} as Record<string, unknown>).admin).toBeUndefined()
  })

  it('reads a payload that is not UTF-8 without throwing', () => {
    const [protectedHeader = ''] = forge(HEADER, {}).split('.')
    const token = `${protectedHeader}.${base64url(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))}.AAAA`
    expect(() => parseCompactJwt(token)).not.toThrow()
  })
})

describe('B11 headers that are remembered', () => {
  it('read the same as the first time', () => {
    const headers: HeaderCache = new Map()
    const [first, second] = [parse(forge(HEADER, { n: 1 }), headers), parse(forge(HEADER, { n: 2 }), headers)]
    expect(second?.header).toBe(first?.header)
    expect(second?.header).toEqual({ alg: 'RS256', kid: 'k', typ: 'jwt' })
    expect(second?.body?.claims).toEqual({ n: 2 })
  })

  it('are few and short, whatever strangers send', () => {
    const headers: HeaderCache = new Map()
    for (let count = 0; count < 1_000; count++) parse(forge({ ...HEADER, kid: `k${count}` }, {}), headers)
    expect(headers.size).toBeLessThanOrEqual(100)
    headers.clear()
    expect(parse(forge({ ...HEADER, kid: 'k'.repeat(10_000) }, {}), headers)?.header.kid).toHaveLength(10_000)
    expect(headers.size).toBe(0)
  })

  it('hold no bad one', () => {
    const headers: HeaderCache = new Map()
    const bad = forge({ alg: 'RS256', crit: ['x'] }, {})
    for (let round = 0; round < 2; round++) expect(parse(bad, headers)).toBeUndefined()
    expect(headers.size).toBe(0)
  })
})
