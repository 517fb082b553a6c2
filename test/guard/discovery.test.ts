/** Where the keys are, found out from the issuer: OpenID Connect Discovery 1.0 §4, RFC 8414. */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  createKey,
  failing,
  forge,
  type ProviderServer,
  type SigningKey,
  signToken,
  startProvider,
} from '../support/keys.ts'
import { ask, claimsFor, jwtGuard, withToken } from './harness.ts'

const OIDC = '/.well-known/openid-configuration'
const OAUTH = '/.well-known/oauth-authorization-server'

let key: SigningKey
let provider: ProviderServer

beforeAll(async () => {
  key = await createKey('ES256', 'key')
})

beforeEach(async () => {
  provider = await startProvider(key)
})

afterEach(() => provider.close())

/** A guard that knows the issuer only. */
function setUp(integration: object = {}, config: object = {}) {
  const made = jwtGuard(provider, { integration: { jwksUri: undefined, ...integration } as object, config })
  const token = (more: object = {}) =>
    signToken(key, claimsFor(provider, made.clock, { exp: made.clock.now() / 1000 + 1e6, ...more }))
  return { ...made, token }
}

describe("A6 an integration's keys are found from its issuer", () => {
  it('by its OpenID configuration', async () => {
    provider.documents.set(OIDC, { issuer: provider.url, jwks_uri: provider.jwksUri })
    const { guard, token } = setUp()
    expect(await ask(guard, withToken(await token()))).toBe('pass')
    expect(provider.asked).toEqual([OIDC, '/jwks'])
  })

  it('by its OAuth metadata where there is none', async () => {
    provider.documents.set(OAUTH, { issuer: provider.url, jwks_uri: provider.jwksUri })
    const { guard, token } = setUp()
    expect(await ask(guard, withToken(await token()))).toBe('pass')
    expect(provider.asked).toEqual([OIDC, OAUTH, '/jwks'])
  })

  it.each([
    ['/tenant', `/tenant${OIDC}`],
    ['/tenant/', `/tenant${OIDC}`],
    ['/tenant', `${OAUTH}/tenant`],
    ['/a/b', `${OAUTH}/a/b`],
    ['/', OIDC],
  ])('with a path, as each standard has it: %s at %s', async (path, document) => {
    const issuer = provider.url + path
    provider.documents.set(document, { issuer, jwks_uri: provider.jwksUri })
    const { guard, token } = setUp({ issuer })
    expect(await ask(guard, withToken(await token({ iss: issuer })))).toBe('pass')
    expect(await ask(guard, withToken(await token()))).toBe(401)
  })

  it('once, not for every renewal of the keys', async () => {
    provider.documents.set(OIDC, { issuer: provider.url, jwks_uri: provider.jwksUri })
    const { guard, clock, token } = setUp()
    for (let round = 0; round < 3; round++) {
      expect(await ask(guard, withToken(await token()))).toBe('pass')
      clock.advance(601)
    }
    expect(provider.asked).toEqual([OIDC, '/jwks', '/jwks', '/jwks'])
  })

  it('again after the keys have moved', async () => {
    provider.documents.set(OIDC, { issuer: provider.url, jwks_uri: provider.jwksUri })
    const { guard, clock, token } = setUp()
    expect(await ask(guard, withToken(await token()))).toBe('pass')
    const moved = await createKey('ES256', 'moved')
    provider.documents.set(OIDC, { issuer: provider.url, jwks_uri: `${provider.url}/new-jwks` })
    provider.documents.set('/new-jwks', { keys: [moved.jwk] })
    provider.answer = (request, response) => {
      const found = request.url === '/jwks' ? undefined : provider.documents.get(request.url ?? '')
      response.writeHead(found === undefined ? 404 : 200).end(JSON.stringify(found ?? {}))
    }
    clock.advance(601)
    expect(await ask(guard, withToken(await token()))).toBe('pass')
    clock.advance(2)
    const fresh = await signToken(moved, claimsFor(provider, clock))
    expect(await ask(guard, withToken(fresh))).toBe('pass')
    expect(await ask(guard, withToken(await token()))).toBe(401)
  })

  it.each([true, false])(
    'again where what is there is JSON but no key set (keys were there before: %s)',
    async (were) => {
      const starting = { message: 'starting' }
      provider.documents.set(OIDC, { issuer: provider.url, jwks_uri: `${provider.url}/old` })
      provider.documents.set('/old', were ? { keys: [key.jwk] } : starting)
      const { guard, clock, token } = setUp()
      const asked = withToken(await token())
      expect(await ask(guard, asked)).toBe(were ? 'pass' : 503)
      provider.documents.set('/old', starting)
      clock.advance(1000)
      expect(await ask(guard, asked)).toBe(were ? 'pass' : 503)
      provider.documents.set(OIDC, { issuer: provider.url, jwks_uri: provider.jwksUri })
      provider.asked.length = 0
      clock.advance(100)
      expect(await ask(guard, asked)).toBe('pass')
      await expect.poll(() => provider.asked).toEqual([OIDC, '/jwks'])
    },
  )

  describe('and again where the metadata may name another place, though the old one still answers', () => {
    /** A guard that has fetched its keys, and metadata that has since moved them: the new place has `moved` alone. */
    async function moveKeys() {
      provider.documents.set(OIDC, { issuer: provider.url, jwks_uri: provider.jwksUri })
      const made = setUp()
      expect(await ask(made.guard, withToken(await made.token()))).toBe('pass')
      const moved = await createKey('ES256', 'moved')
      provider.documents.set(OIDC, { issuer: provider.url, jwks_uri: `${provider.url}/new-jwks` })
      provider.documents.set('/new-jwks', { keys: [moved.jwk] })
      const fresh = () => signToken(moved, claimsFor(provider, made.clock))
      provider.asked.length = 0
      return { ...made, fresh }
    }

    it('once it is as old as keys may become', async () => {
      const { guard, clock, token, fresh } = await moveKeys()
      clock.advance(21_600)
      expect(await ask(guard, withToken(await fresh()))).toBe('pass')
      expect(await ask(guard, withToken(await token()))).toBe(401)
      expect(provider.asked.slice(0, 2)).toEqual([OIDC, '/new-jwks'])
    })

    it('for a key that is not known, not more often than every five minutes', async () => {
      const { guard, clock, fresh } = await moveKeys()
      const forged = async (kid: string) =>
        ask(guard, withToken(forge({ alg: 'ES256', kid }, claimsFor(provider, clock))))
      clock.advance(100)
      expect(await forged('made-up')).toBe(401)
      expect(provider.asked).toEqual(['/jwks'])
      clock.advance(200)
      expect(await ask(guard, withToken(await fresh()))).toBe('pass')
      expect(provider.asked).toEqual(['/jwks', OIDC, '/new-jwks'])
      clock.advance(299)
      expect(await forged('made-up-too')).toBe(401)
      expect(provider.asked.slice(3)).toEqual(['/new-jwks'])
    })

    it('and is used as it was while the metadata cannot be had', async () => {
      const { guard, clock, token, fresh } = await moveKeys()
      const metadata = provider.documents.get(OIDC)
      provider.documents.delete(OIDC)
      clock.advance(21_600)
      expect(await ask(guard, withToken(await token()))).toBe('pass')
      expect(provider.asked).toEqual([OIDC, OAUTH, '/jwks'])
      clock.advance(299)
      expect(await ask(guard, withToken(await fresh()))).toBe(401)
      expect(provider.asked.slice(3)).toEqual(['/jwks'])
      provider.documents.set(OIDC, metadata)
      clock.advance(61)
      expect(await ask(guard, withToken(await fresh()))).toBe('pass')
    })

    it('and as it was where both the metadata and the keys had failed', async () => {
      const { guard, clock, token } = await moveKeys()
      provider.documents.delete(OIDC)
      provider.answer = failing.status500
      clock.advance(21_600)
      expect(await ask(guard, withToken(await token()))).toBe(503)
      provider.answer = undefined
      clock.advance(2)
      expect(await ask(guard, withToken(await token()))).toBe('pass')
    })
  })

  it.each([undefined, 'http://keys.example.com/jwks'])(
    'and where it says %s, the query of the issuer is not told',
    async (jwks_uri) => {
      const issuer = `${provider.url}/idp?code=TOP-SECRET-KEY`
      provider.documents.set('/metadata', { issuer, ...(jwks_uri && { jwks_uri }) })
      const { guard, events } = setUp({ issuer, metadataUrl: `${provider.url}/metadata`, allowInsecureHttp: undefined })
      const error = await guard.ready().catch((thrown: unknown) => thrown)
      expect(String(error)).toContain(`${provider.url}/idp `)
      expect(events.keys).toHaveLength(1)
      expect(`${error}${JSON.stringify(events.keys)}`).not.toContain('TOP-SECRET-KEY')
    },
  )

  it('from a server that knows a key set by its own media type alone (RFC 7517 §8.5)', async () => {
    provider.documents.set(OIDC, { issuer: provider.url, jwks_uri: provider.jwksUri })
    const { guard, token } = setUp()
    provider.answer = (request, response) => {
      const isKeys = request.url === '/jwks'
      const type = isKeys ? 'application/jwk-set+json' : 'application/json'
      const document = isKeys ? { keys: [key.jwk] } : provider.documents.get(request.url ?? '')
      const takes = request.headers.accept?.split(', ').includes(type) === true
      response.writeHead(takes ? 200 : 406, { 'content-type': type }).end(JSON.stringify(document))
    }
    expect(await ask(guard, withToken(await token()))).toBe('pass')
  })

  it('through redirects', async () => {
    provider.documents.set('/moved', { issuer: provider.url, jwks_uri: provider.jwksUri })
    const usual = (path: string) => (path === '/jwks' ? { keys: [key.jwk] } : provider.documents.get(path))
    provider.answer = (request, response) => {
      if (request.url === OIDC) response.writeHead(301, { location: '/moved' }).end()
      else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(usual(request.url ?? '')))
    }
    const { guard, token } = setUp()
    expect(await ask(guard, withToken(await token()))).toBe('pass')
  })
})

describe('A6 metadata that cannot be used: 503, and the reason is told', () => {
  /** What is told of the failure. */
  async function failureOf(integration: object = {}): Promise<string> {
    const { guard, token, events } = setUp(integration)
    const iss = (integration as { issuer?: string }).issuer ?? provider.url
    expect(await ask(guard, withToken(await token({ iss })))).toBe(503)
    const last = events.keys.at(-1)
    return last?.kind === 'failed' ? last.reason : 'loaded'
  }

  it('none at all', async () => {
    expect(await failureOf()).toContain(`the metadata of ${provider.url} cannot be had`)
    expect(provider.asked).toEqual([OIDC, OAUTH])
  })

  it.each([
    ['of another issuer', () => ({ issuer: 'https://evil.example', jwks_uri: provider.jwksUri })],
    ['without an issuer', () => ({ jwks_uri: provider.jwksUri })],
    ['with an issuer that is a list', () => ({ issuer: [provider.url], jwks_uri: provider.jwksUri })],
    ['of a template', () => ({ issuer: `${provider.url}/{tenantid}/v2.0`, jwks_uri: provider.jwksUri })],
  ])('%s', async (_, document) => {
    provider.documents.set(OIDC, document())
    expect(await failureOf()).toContain('cannot be had')
    expect(provider.fetches).toBe(0)
  })

  it('that spells the issuer in another way, which is said', async () => {
    provider.documents.set(OIDC, { issuer: `${provider.url}/`, jwks_uri: provider.jwksUri })
    expect(await failureOf()).toContain(`the provider spells its issuer "${provider.url}/"; write it in the same way`)
    provider.documents.set(OIDC, { issuer: provider.url, jwks_uri: provider.jwksUri })
    expect(await failureOf({ issuer: `${provider.url}/` })).toContain(
      `the provider spells its issuer "${provider.url}"`,
    )
    expect(provider.fetches).toBe(0)
  })

  it.each([
    ['without a jwks_uri', {}],
    ['with an empty jwks_uri', { jwks_uri: '' }],
  ])('%s', async (_, part) => {
    provider.documents.set(OIDC, { issuer: provider.url, ...part })
    expect(await failureOf()).toBe(`the metadata of ${provider.url} names no jwks_uri`)
  })

  it.each([
    'http://keys.example/jwks',
    'ftp://127.0.0.1/jwks',
    'file:///etc/passwd',
    '/jwks',
    'not a URL',
    'data:application/json,{"keys":[]}',
  ])('with the jwks_uri %s', async (jwksUri) => {
    provider.documents.set(OIDC, { issuer: provider.url, jwks_uri: jwksUri })
    expect(await failureOf()).toBe(`the jwks_uri of ${provider.url} is not https`)
  })

  it.each([[7], [['x']], [{}], [null]])('with the jwks_uri %j', async (jwksUri) => {
    provider.documents.set(OIDC, { issuer: provider.url, jwks_uri: jwksUri })
    expect(await failureOf()).toEqual(expect.any(String))
    expect(provider.fetches).toBe(0)
  })

  it.each([
    ['HTML', failing.body('<html></html>', 'text/html')],
    ['HTML that says it is JSON', failing.body('<html></html>', 'application/json')],
    ['JSON that says it is HTML', failing.body('{}', 'text/html')],
    ['a list', failing.body('[]', 'application/json')],
    ['null', failing.body('null', 'application/json')],
    ['a megabyte', failing.body(Buffer.alloc(1 << 20, 0x20), 'application/json')],
    ['500', failing.status500],
    ['nothing', failing.down],
  ])('%s in its place', async (_, answer) => {
    provider.answer = answer
    expect(await failureOf()).toContain('cannot be had')
  })

  it('silence, within the deadline of each attempt', async () => {
    provider.answer = failing.silent
    expect(await failureOf({ keys: { timeoutMs: 100 } })).toMatch(/within 100 ms.*within 100 ms/)
  })

  it('and is found once it is there', async () => {
    const { guard, clock, token } = setUp()
    expect(await ask(guard, withToken(await token()))).toBe(503)
    provider.documents.set(OIDC, { issuer: provider.url, jwks_uri: provider.jwksUri })
    clock.advance(2)
    expect(await ask(guard, withToken(await token()))).toBe('pass')
  })
})

describe('A6 plain http', () => {
  it('is accepted from hosts other than this machine where it is allowed, typed out', async () => {
    const asked: string[] = []
    const fetch = async (url: string) => {
      asked.push(url)
      const document = url.endsWith('/jwks')
        ? { keys: [key.jwk] }
        : { issuer: 'http://login.internal', jwks_uri: 'http://login.internal/jwks' }
      return new Response(JSON.stringify(document), { headers: { 'content-type': 'application/json' } })
    }
    const { guard, token } = setUp({ issuer: 'http://login.internal', allowInsecureHttp: true }, { fetch })
    expect(await ask(guard, withToken(await token({ iss: 'http://login.internal' })))).toBe('pass')
    expect(asked).toEqual([`http://login.internal${OIDC}`, 'http://login.internal/jwks'])
  })
})
