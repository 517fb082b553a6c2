/** Gets real tokens from the identity provider: a person by the authorization code flow with PKCE, a service by its own secret. */
import { createHash, randomBytes } from 'node:crypto'
import { REDIRECT_URI } from './provider-clients.ts'

/** A registered client. */
export interface Client {
  readonly id: string
  readonly secret: string
}

/** What the token endpoint answers (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3). */
export interface Tokens {
  readonly access_token: string
  readonly id_token: string
}

/** Signs `person` in to `client`, asking for an access token for `resource` (RFC 8707). */
export async function signIn(issuer: string, client: Client, person: string, resource: string): Promise<Tokens> {
  const verifier = randomBytes(32).toString('base64url')
  const authorize = new URL('/auth', issuer)
  authorize.search = new URLSearchParams({
    client_id: client.id,
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    scope: 'openid orders:read',
    resource,
    login_hint: person,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  }).toString()
  const code = await followToCode(authorize)
  return requestTokens(issuer, client, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT_URI,
    code_verifier: verifier,
    resource,
  })
}

/** A token for `client` itself (RFC 6749 §4.4). */
export async function serviceToken(issuer: string, client: Client, resource: string): Promise<string> {
  const form = { grant_type: 'client_credentials', scope: 'orders:read', resource }
  return (await requestTokens(issuer, client, form)).access_token
}

/** Follows redirects with cookies, as a browser would, up to the one that carries the code. */
async function followToCode(start: URL): Promise<string> {
  const cookies = new Map<string, string>()
  let url = start
  while (!url.href.startsWith(REDIRECT_URI)) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } })
    const location = response.headers.get('location')
    if (location === null) throw new Error(`${url.pathname}: ${response.status} ${await response.text()}`)
    await response.body?.cancel()
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    url = new URL(location, url)
  }
  const code = url.searchParams.get('code')
  if (code === null) throw new Error(`the identity provider refused to sign in: ${url.search}`)
  return code
}

async function requestTokens(issuer: string, client: Client, form: Record<string, string>): Promise<Tokens> {
  const response = await fetch(new URL('/token', issuer), {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${client.id}:${client.secret}`)}` },
    body: new URLSearchParams(form),
  })
  if (!response.ok) throw new Error(`the token endpoint answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as Tokens
}
