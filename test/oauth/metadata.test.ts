/** What an issuer says about itself, from servers that say it, say something else, or say nothing. */
import type { RequestListener } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { FetchError } from '../../src/core/errors.ts'
import type { Fetch } from '../../src/net/fetch.ts'
import { discoverServer } from '../../src/oauth/metadata.ts'
import { type LocalServer, localServer } from '../net/server.ts'

const limits = { timeoutMs: 5_000, maxBytes: 10_000 }
const globalFetch: Fetch = (url, init) => fetch(url, init)

const open: LocalServer[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()))
})

/** A server of documents by path; a function makes one out of the server's URL. */
async function serve(
  documents: Record<string, (url: string) => unknown>,
  headers: Record<string, string> = {},
): Promise<LocalServer> {
  const answer: RequestListener = (request, response) => {
    const document = documents[request.url ?? '']
    if (document === undefined) response.writeHead(404).end('{}')
    else {
      const body = document(server.url)
      response.writeHead(200, { 'content-type': 'application/json', ...headers })
      response.end(typeof body === 'string' ? body : JSON.stringify(body))
    }
  }
  const server = await localServer(answer)
  open.push(server)
  return server
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    (value) => expect.fail(`came back with ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(FetchError)
  return (error as FetchError).message
}

/** What a document says that says nothing. */
const NOTHING = {
  issuer: '',
  jwksUri: undefined,
  authorizationUrl: undefined,
  tokenUrl: undefined,
  userInfoUrl: undefined,
  revocationUrl: undefined,
  endSessionUrl: undefined,
  pushedAuthorizationUrl: undefined,
  issParameter: false,
  idTokenAlgorithms: undefined,
}

const OIDC = '/.well-known/openid-configuration'
const OAUTH = '/.well-known/oauth-authorization-server'

describe('A6 the metadata of an issuer', () => {
  it("is OpenID Connect's document", async () => {
    const server = await serve({ [OIDC]: (url) => ({ issuer: url, jwks_uri: `${url}/keys`, more: [1] }) })
    expect(await discoverServer(server.url, globalFetch, limits)).toEqual({
      ...NOTHING,
      issuer: server.url,
      jwksUri: `${server.url}/keys`,
    })
    expect(server.requests).toEqual([`GET ${OIDC}`])
  })

  it('is under the path of the issuer', async () => {
    const server = await serve({
      [`/realms/a${OIDC}`]: (url) => ({ issuer: `${url}/realms/a`, jwks_uri: `${url}/keys` }),
    })
    expect((await discoverServer(`${server.url}/realms/a`, globalFetch, limits)).jwksUri).toBe(`${server.url}/keys`)
  })

  it("is OAuth's where there is none (RFC 8414), which lies in front of the path", async () => {
    const server = await serve({
      [`${OAUTH}/realms/a`]: (url) => ({ issuer: `${url}/realms/a`, jwks_uri: `${url}/keys` }),
    })
    expect((await discoverServer(`${server.url}/realms/a`, globalFetch, limits)).jwksUri).toBe(`${server.url}/keys`)
    expect(server.requests).toEqual([`GET /realms/a${OIDC}`, `GET ${OAUTH}/realms/a`])
  })

  it("is OAuth's where the other is garbage", async () => {
    const server = await serve({ [OIDC]: () => '<html>', [OAUTH]: (url) => ({ issuer: url, jwks_uri: `${url}/keys` }) })
    expect((await discoverServer(server.url, globalFetch, limits)).jwksUri).toBe(`${server.url}/keys`)
  })

  it('may have a slash at the end, when it is spelled so on both sides', async () => {
    const server = await serve({ [OIDC]: (url) => ({ issuer: `${url}/`, jwks_uri: `${url}/keys` }) })
    expect((await discoverServer(`${server.url}/`, globalFetch, limits)).issuer).toBe(`${server.url}/`)
  })

  it.each(['text/html', 'application/octet-stream', 'application/json; charset=utf-8'])(
    'may be called %s',
    async (type) => {
      const server = await serve(
        { [OIDC]: (url) => ({ issuer: url, jwks_uri: `${url}/keys` }) },
        { 'content-type': type },
      )
      expect((await discoverServer(server.url, globalFetch, limits)).jwksUri).toBe(`${server.url}/keys`)
    },
  )

  it('follows redirects', async () => {
    const server = await serve({ '/doc': (url) => ({ issuer: url, jwks_uri: `${url}/keys` }) })
    const redirecting: Fetch = (url, init) =>
      url.endsWith(OIDC)
        ? Promise.resolve(new Response(null, { status: 302, headers: { location: '/doc' } }))
        : fetch(url, init)
    expect((await discoverServer(server.url, redirecting, limits)).issuer).toBe(server.url)
  })
})

describe('A6 metadata that cannot be had', () => {
  it('names what was tried, and why it failed', async () => {
    const server = await serve({})
    const message = await failure(discoverServer(server.url, globalFetch, limits))
    expect(message).toBe(
      `the metadata of ${server.url} cannot be had: ${server.url}${OIDC}: answered 404; ${server.url}${OAUTH}: answered 404`,
    )
    expect(server.requests).toEqual([`GET ${OIDC}`, `GET ${OAUTH}`])
  })

  it.each([
    ['another server', () => 'https://evil.example'],
    ['another path', (url: string) => `${url}/other`],
    ['another case in the path', (url: string) => `${url}/REALM`],
    ['localhost for 127.0.0.1', (url: string) => url.replace('127.0.0.1', 'localhost')],
  ])('is of another issuer: %s', async (_, issuer) => {
    const document = (url: string) => ({ issuer: issuer(url), jwks_uri: `${url}/keys` })
    const server = await serve({
      [OIDC]: document,
      [OAUTH]: document,
      [`/realm${OIDC}`]: document,
      [`${OAUTH}/realm`]: document,
    })
    for (const expected of [server.url, `${server.url}/realm`]) {
      const message = await failure(discoverServer(expected, globalFetch, limits))
      expect(message).toContain(`: names another issuer, "${issuer(server.url)}"`)
    }
  })

  it.each([
    ['a slash too many', '', '/'],
    ['a slash too few', '/', ''],
  ])('spells its issuer with %s: the message says how', async (_, configured, told) => {
    const server = await serve({ [OIDC]: (url) => ({ issuer: `${url}${told}`, jwks_uri: `${url}/keys` }) })
    expect(await failure(discoverServer(`${server.url}${configured}`, globalFetch, limits))).toContain(
      `the provider spells its issuer "${server.url}${told}"; write it in the same way`,
    )
  })

  it.each([
    ['a list', () => []],
    ['null', () => null],
    ['a text', () => '"x"'],
    ['no JSON', () => '{'],
    ['nothing', () => ''],
    ['no issuer', (url: string) => ({ jwks_uri: `${url}/keys` })],
    ['an issuer that is no text', (url: string) => ({ issuer: [url] })],
    ['an issuer that is no URL', () => ({ issuer: 'x' })],
    ['too much', (url: string) => ({ issuer: url, jwks_uri: `${url}/keys`, more: 'x'.repeat(10_000) })],
  ])('is %s', async (_, document) => {
    const server = await serve({ [OIDC]: document, [OAUTH]: document })
    expect(await failure(discoverServer(server.url, globalFetch, limits))).toContain(server.url)
  })

  it('comes too late', async () => {
    const server = await localServer(() => {})
    open.push(server)
    expect(await failure(discoverServer(server.url, globalFetch, { ...limits, timeoutMs: 50 }))).toContain(
      'within 50 ms',
    )
  })

  it('is behind a port where nobody listens', async () => {
    const server = await localServer(() => {})
    await server.close()
    expect(await failure(discoverServer(server.url, globalFetch, limits))).toContain('ECONNREFUSED')
  })

  it('leads from https to http', async () => {
    const redirecting: Fetch = async () =>
      new Response(null, { status: 302, headers: { location: 'http://idp.example/doc' } })
    expect(await failure(discoverServer('https://idp.example', redirecting, limits))).toContain(
      'redirects away from https',
    )
  })
})

/** The fields that are URLs, and what becomes of them. */
const FIELDS = [
  ['jwks_uri', 'jwksUri'],
  ['authorization_endpoint', 'authorizationUrl'],
  ['token_endpoint', 'tokenUrl'],
  ['userinfo_endpoint', 'userInfoUrl'],
  ['revocation_endpoint', 'revocationUrl'],
  ['end_session_endpoint', 'endSessionUrl'],
  ['pushed_authorization_request_endpoint', 'pushedAuthorizationUrl'],
] as const

describe.each(FIELDS)('A8 the %s of the metadata', (field, name) => {
  async function discover(part: object) {
    const server = await serve({ [OIDC]: (url) => ({ issuer: url, ...part }) })
    return { server, found: discoverServer(server.url, globalFetch, limits) }
  }

  it.each(['https://a.example/x?tenant=a', 'http://a.example:8080/x', 'HTTPS://a.example'])('is %s', async (url) => {
    const { server, found } = await discover({ [field]: url })
    expect(await found).toEqual({ ...NOTHING, issuer: server.url, [name]: url })
  })

  it.each([
    ['missing', {}],
    ['null', { [field]: null }],
  ])('that is %s is none', async (_, part) => {
    const { server, found } = await discover(part)
    expect(await found).toEqual({ ...NOTHING, issuer: server.url })
  })

  it.each([
    7,
    true,
    ['https://a.example'],
    { url: 'https://a.example' },
    'javascript:alert(document.cookie)//',
    ' javascript:alert(1)',
    'JavaScript:alert(1)',
    'data:text/html,<script>',
    'file:///etc/passwd',
    'ftp://a.example',
    '//a.example',
    '/authorize',
    'a.example',
    'https://',
    ' ',
  ])('that is %j is an error that names it, at once', async (value) => {
    const { server, found } = await discover({ [field]: value })
    expect(await failure(found)).toBe(`the ${field} of ${server.url} is not https`)
    expect(server.requests).toEqual([`GET ${OIDC}`])
  })
})

describe('A8 the rest of the metadata', () => {
  async function discover(part: object) {
    const server = await serve({ [OIDC]: (url) => ({ issuer: url, ...part }) })
    return discoverServer(server.url, globalFetch, limits)
  }

  it.each(FIELDS)('an empty text for %s is none', async (field, name) => {
    expect((await discover({ [field]: '' }))[name]).toBeUndefined()
  })

  it.each([
    [true, true],
    [false, false],
    ['true', false],
    [1, false],
    [null, false],
  ])('authorization_response_iss_parameter_supported of %j', async (value, expected) => {
    expect((await discover({ authorization_response_iss_parameter_supported: value })).issParameter).toBe(expected)
  })

  it.each([
    [
      ['RS256', 'none'],
      ['RS256', 'none'],
    ],
    [['RS256', 7, null], ['RS256']],
    [[], []],
    ['RS256', undefined],
    [null, undefined],
  ])('id_token_signing_alg_values_supported of %j', async (value, expected) => {
    expect((await discover({ id_token_signing_alg_values_supported: value })).idTokenAlgorithms).toEqual(expected)
  })
})

describe('A9 metadata at an address of its own', () => {
  const TEMPLATE = 'https://login.example/{tenantid}/v2.0'

  it('are fetched from there, and from nowhere else', async () => {
    const server = await serve({
      '/doc?v=2': () => ({ issuer: 'https://idp.example', token_endpoint: 'https://a.example' }),
    })
    const metadataUrl = `${server.url}/doc?v=2`
    expect(await discoverServer('https://idp.example', globalFetch, limits, { metadataUrl })).toEqual({
      ...NOTHING,
      issuer: 'https://idp.example',
      tokenUrl: 'https://a.example',
    })
    expect(server.requests).toEqual(['GET /doc?v=2'])
  })

  it("may have an issuer that is a template, as Microsoft Entra's", async () => {
    const server = await serve({ '/doc': () => ({ issuer: TEMPLATE }) })
    const options = { metadataUrl: `${server.url}/doc`, issuerInDocument: TEMPLATE }
    expect((await discoverServer('https://login.example/common/v2.0', globalFetch, limits, options)).issuer).toBe(
      TEMPLATE,
    )
    expect((await discoverServer(TEMPLATE, globalFetch, limits, { metadataUrl: `${server.url}/doc` })).issuer).toBe(
      TEMPLATE,
    )
  })

  it.each([
    ['the issuer itself, where a template is expected', 'https://login.example/common/v2.0', TEMPLATE],
    ['a tenant, where a template is expected', 'https://login.example/t1/v2.0', TEMPLATE],
    ['a template, where none is expected', TEMPLATE, undefined],
    ['a template that is spelled otherwise', 'https://login.example/%7Btenantid%7D/v2.0', TEMPLATE],
    ['another', 'https://evil.example', undefined],
    ['none', undefined, undefined],
  ])('must not have %s', async (_, told, issuerInDocument) => {
    const server = await serve({ '/doc': () => ({ issuer: told }) })
    const options = { metadataUrl: `${server.url}/doc`, ...(issuerInDocument && { issuerInDocument }) }
    expect(await failure(discoverServer('https://login.example/common/v2.0', globalFetch, limits, options))).toContain(
      'the metadata of https://login.example/common/v2.0 cannot be had: ',
    )
    expect(server.requests).toEqual(['GET /doc'])
  })

  it('that cannot be had', async () => {
    const server = await serve({})
    const message = await failure(
      discoverServer('https://idp.example', globalFetch, limits, { metadataUrl: `${server.url}/doc` }),
    )
    expect(message).toMatch(/^the metadata of https:\/\/idp\.example cannot be had: /)
    expect(server.requests).toEqual(['GET /doc'])
  })
})
