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

const OIDC = '/.well-known/openid-configuration'
const OAUTH = '/.well-known/oauth-authorization-server'

describe('A6 the metadata of an issuer', () => {
  it("is OpenID Connect's document", async () => {
    const server = await serve({ [OIDC]: (url) => ({ issuer: url, jwks_uri: `${url}/keys`, more: [1] }) })
    expect(await discoverServer(server.url, globalFetch, limits)).toEqual({
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
    expect(message).toMatch(new RegExp(`^the metadata of ${server.url} cannot be had: .+; .+`))
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
    await failure(discoverServer(server.url, globalFetch, limits))
    await failure(discoverServer(`${server.url}/realm`, globalFetch, limits))
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

describe('A6 a jwks_uri', () => {
  it.each([
    ['missing', {}],
    ['null', { jwks_uri: null }],
    ['a number', { jwks_uri: 7 }],
    ['a list', { jwks_uri: ['https://a.example'] }],
  ])('that is %s is none', async (_, part) => {
    const server = await serve({ [OIDC]: (url) => ({ issuer: url, ...part }) })
    expect(await discoverServer(server.url, globalFetch, limits)).toEqual({ issuer: server.url, jwksUri: undefined })
  })
})
