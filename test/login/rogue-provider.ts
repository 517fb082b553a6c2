/**
 * A small identity provider that does as it should, until a test has it do otherwise: it signs in whoever comes at once, as
 * `subject`, and what it answers goes through hooks that can change every part of it. It remembers what it was asked and
 * every secret that it has seen or given out.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createKey, type SigningKey, signToken } from '../support/keys.ts'

type Claims = Record<string, unknown>

/** One sign-in, from the authorization request to the last refresh. */
export interface Grant {
  readonly clientId: string
  readonly redirectUri: string
  readonly nonce: string | undefined
  readonly challenge: string
  readonly subject: string
  readonly sid: string
}

/** Where a test can interfere. A text in place of claims is the token. */
export interface RogueHooks {
  metadata?: (document: Claims) => Claims
  /** The answer to an authorization request: where the browser goes back to. */
  authorize?: (callback: URL, asked: URLSearchParams) => URL
  idToken?: (claims: Claims, grant: Grant, refresh: boolean) => Claims | string | Promise<Claims | string>
  accessToken?: (claims: Claims, grant: Grant, refresh: boolean) => Claims | string | Promise<Claims | string>
  /** The body of the token endpoint's answer. */
  answer?: (body: Claims, sent: URLSearchParams) => unknown
  /** Answers the token endpoint itself where it returns `true`. */
  token?: (sent: URLSearchParams, response: ServerResponse) => boolean | Promise<boolean>
  userInfo?: (claims: Claims) => unknown
  /** What a revocation is refused with. */
  revocation?: { readonly error: string }
  /** What is published as its keys. */
  keys?: (own: unknown) => unknown[]
}

/** See the top of the file. */
export interface RogueProvider {
  readonly issuer: string
  readonly key: SigningKey
  /** Who signs in from now on. */
  subject: string
  hooks: RogueHooks
  /** Requests so far, `POST /token`. */
  readonly asked: string[]
  /** Codes, tokens, nonces, verifiers, states: everything that is nobody else's business. */
  readonly secrets: Set<string>
  count(line: string): number
  /** A logout token as it should be, changed by `claims` (`undefined` removes) and `header`. */
  logoutToken(claims?: Claims, header?: Claims, key?: SigningKey): Promise<string>
  close(): Promise<void>
}

export const API = 'https://orders.example.com'
export const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/** Starts one on the loopback interface that tells the time by `clock`. */
export async function startRogueProvider(clock: { now(): number }): Promise<RogueProvider> {
  const key = await createKey('ES256', 'rogue-1')
  const codes = new Map<string, Grant>()
  const refreshTokens = new Map<string, Grant>()
  const accessTokens = new Map<string, Grant>()
  const seconds = () => Math.floor(clock.now() / 1000)
  const random = () => randomBytes(24).toString('base64url')
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  // A process that was stopped would close what a client is taking just then.
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const provider: RogueProvider = {
    issuer,
    key,
    subject: 'alice',
    hooks: {},
    asked: [],
    secrets: new Set(),
    count: (line) => provider.asked.filter((each) => each === line).length,
    logoutToken(claims = {}, header = {}, signer = key) {
      const now = seconds()
      const events = { [LOGOUT_EVENT]: {} }
      const payload = { iss: issuer, aud: 'shop', iat: now, exp: now + 120, jti: random(), events, ...claims }
      return signToken(signer, payload, { typ: 'logout+jwt', ...header })
    },
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      return closed
    },
  }
  const secret = (text: string) => {
    if (text.length > 8) provider.secrets.add(text)
    return text
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', issuer)
    provider.asked.push(`${request.method} ${pathname}`)
    const { hooks } = provider
    const json = (status: number, body: unknown) =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    switch (pathname) {
      case '/.well-known/openid-configuration': {
        const document = {
          issuer,
          jwks_uri: `${issuer}/jwks`,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          userinfo_endpoint: `${issuer}/userinfo`,
          revocation_endpoint: `${issuer}/revoke`,
          end_session_endpoint: `${issuer}/end`,
        }
        return json(200, hooks.metadata?.(document) ?? document)
      }
      case '/jwks':
        return json(200, { keys: hooks.keys?.(key.jwk) ?? [key.jwk] })
      case '/authorize':
        return authorize(searchParams, response)
      case '/token': {
        const sent = await form(request)
        for (const name of ['code', 'code_verifier', 'refresh_token']) secret(sent.get(name) ?? '')
        if ((await hooks.token?.(sent, response)) === true) return
        const [, basic = ''] = /^Basic (.*)$/.exec(request.headers.authorization ?? '') ?? []
        const client = sent.get('client_id') ?? Buffer.from(basic, 'base64').toString().replace(/:.*/, '')
        const body = await tokens(sent, decodeURIComponent(client))
        return json('error' in body ? 400 : 200, hooks.answer === undefined ? body : hooks.answer(body, sent))
      }
      case '/userinfo': {
        const grant = accessTokens.get(/^Bearer (.*)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '')
        if (grant === undefined) return json(401, { error: 'invalid_token' })
        const claims = { sub: grant.subject, name: `${grant.subject} by userinfo` }
        return json(200, hooks.userInfo === undefined ? claims : hooks.userInfo(claims))
      }
      default:
        if (pathname === '/revoke' && hooks.revocation !== undefined) return json(400, hooks.revocation)
        return void response.writeHead(pathname === '/revoke' || pathname === '/end' ? 200 : 404).end()
    }
  }

  function authorize(asked: URLSearchParams, response: ServerResponse): void {
    const code = secret(random())
    const redirectUri = asked.get('redirect_uri') ?? ''
    secret(asked.get('nonce') ?? '')
    codes.set(code, {
      clientId: asked.get('client_id') ?? '',
      redirectUri,
      nonce: asked.get('nonce') ?? undefined,
      challenge: asked.get('code_challenge') ?? '',
      subject: provider.subject,
      sid: `sid-of-${code.slice(0, 8)}`,
    })
    const callback = new URL(redirectUri)
    callback.searchParams.set('code', code)
    callback.searchParams.set('state', asked.get('state') ?? '')
    const back = provider.hooks.authorize?.(callback, asked) ?? callback
    if (asked.get('response_mode') !== 'form_post') {
      response.writeHead(302, { location: back.href }).end()
      return
    }
    const inputs = [...back.searchParams].map(([name, value]) => `<input name="${name}" value="${value}">`)
    response.writeHead(200, { 'content-type': 'text/html' })
    response.end(`<form method="post" action="${back.origin}${back.pathname}">${inputs.join('')}</form>`)
  }

  async function tokens(sent: URLSearchParams, client: string): Promise<Claims> {
    const [kind, given] = sent.has('code') ? [codes, sent.get('code')] : [refreshTokens, sent.get('refresh_token')]
    const grant = kind.get(given ?? '')
    kind.delete(given ?? '')
    const challenge = createHash('sha256')
      .update(sent.get('code_verifier') ?? '')
      .digest('base64url')
    const refresh = kind === refreshTokens
    if (
      grant === undefined ||
      grant.clientId !== client ||
      (!refresh && (challenge !== grant.challenge || sent.get('redirect_uri') !== grant.redirectUri))
    ) {
      return { error: 'invalid_grant' }
    }
    const now = seconds()
    const common = { iss: issuer, sub: grant.subject, iat: now, exp: now + 3600, jti: random() }
    const made = async (hook: RogueHooks['idToken'], claims: Claims) => {
      const changed = (await hook?.(claims, grant, refresh)) ?? claims
      return secret(typeof changed === 'string' ? changed : await signToken(key, changed))
    }
    const access = await made(provider.hooks.accessToken, { ...common, aud: API, groups: ['staff'] })
    const nonce = refresh || grant.nonce === undefined ? {} : { nonce: grant.nonce }
    const id = { ...common, aud: grant.clientId, sid: grant.sid, name: `The ${grant.subject}`, ...nonce }
    const refreshToken = secret(random())
    refreshTokens.set(refreshToken, grant)
    accessTokens.set(access, grant)
    return {
      access_token: access,
      token_type: 'Bearer',
      expires_in: 3600,
      refresh_token: refreshToken,
      id_token: await made(provider.hooks.idToken, id),
    }
  }

  return provider
}

async function form(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk as Uint8Array)
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'))
}
