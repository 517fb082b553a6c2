/**
 * Dynamic client registration (RFC 7591). What comes back decides as whom people are sent to the authorization server, so it is
 * believed only where it is the client that was asked for.
 */
import { FetchError, messageOf } from '../core/errors.ts'
import { boundedFetch, type Fetch, type FetchLimits, presentable } from '../net/fetch.ts'
import { AuthorizationError } from './authorization-error.ts'
import { type ClientDescription, clientMetadata } from './client-metadata.ts'
import { isErrorAnswer, readFailure, readJson } from './endpoint-answer.ts'
import { isHttpUrl } from './fetch-document.ts'
import type { ServerMetadata } from './metadata.ts'

/** A client that a server has registered. Plain data that survives JSON. */
export interface RegisteredClient {
  readonly clientId: string
  readonly authentication: ClientDescription['authentication']
  readonly clientSecret?: string
  /** Epoch seconds; absent where it does not expire. */
  readonly secretExpiresAt?: number
}

/** How a registration is sent. */
export interface RegistrationTransport {
  readonly fetch: Fetch
  readonly limits: FetchLimits
  readonly signal: AbortSignal
  /** Epoch milliseconds. */
  now(): number
}

/** RFC 6749 appendix A.1 and A.2. */
const CLIENT_ID = /^[\x20-\x7e]{1,1024}$/
const CLIENT_SECRET = /^[\x20-\x7e]{1,4096}$/

/**
 * Registers a client, with a secret where the server takes one. A secret that expires would end everybody's connection with it,
 * so that the client is made a public one then, if the server allows that.
 *
 * @throws AuthorizationError `rejected` where the server refuses, `invalid` where its answer is not the client that was asked
 *   for, `unavailable`
 */
export async function registerClient(
  server: ServerMetadata,
  client: Omit<ClientDescription, 'authentication' | 'refresh'>,
  transport: RegistrationTransport,
): Promise<RegisteredClient> {
  const refresh = server.grantTypes?.includes('refresh_token') ?? true
  const methods = methodsOf(server)
  let expiring: RegisteredClient | undefined
  let refused: unknown = new AuthorizationError(
    'rejected',
    `${server.issuer} takes only clients that authenticate in a way which a registered one of ours cannot`,
  )
  for (const authentication of methods) {
    try {
      const made = await register(server, { ...client, refresh, authentication }, transport)
      if (made.secretExpiresAt === undefined) return made
      expiring ??= made
    } catch (error) {
      if (!(error instanceof AuthorizationError && error.kind === 'rejected')) throw error
      refused = error
    }
    // With a secret of the other form it would be the same.
    if (expiring !== undefined && !methods.includes('none')) break
  }
  if (expiring !== undefined) return expiring
  throw refused
}

const METHODS = ['client_secret_basic', 'client_secret_post', 'none'] as const

/** Those that both sides can do, the best first. RFC 8414 §2: a server that does not say takes `client_secret_basic`. */
function methodsOf({ tokenAuthentication }: ServerMetadata): readonly ClientDescription['authentication'][] {
  return tokenAuthentication === undefined
    ? ['client_secret_basic', 'none']
    : METHODS.filter((method) => tokenAuthentication.includes(method))
}

async function register(
  server: ServerMetadata,
  client: ClientDescription,
  { fetch, limits, signal, now }: RegistrationTransport,
): Promise<RegisteredClient> {
  const endpoint = `the registration endpoint of ${presentable(server.issuer)}`
  const { registrationUrl } = server
  if (registrationUrl === undefined) throw new AuthorizationError('rejected', `${server.issuer} registers no clients`)
  let response: Response
  try {
    response = await boundedFetch(fetch, registrationUrl, limits, {
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: JSON.stringify(clientMetadata(client)),
      redirect: 'error',
      signal,
    })
  } catch (error) {
    const detail = error instanceof FetchError ? messageOf(error) : `${endpoint} does not answer`
    throw new AuthorizationError('unavailable', detail)
  }
  const answer = await readJson(response)
  if (isErrorAnswer(response, answer)) {
    const { failure, detail, error } = readFailure(response, answer, [])
    throw new AuthorizationError(failure === 'transient' ? 'unavailable' : 'rejected', `${endpoint} ${detail}`, {
      error,
    })
  }
  const read = readClient(answer, client, now())
  if (typeof read !== 'string') return read
  throw new AuthorizationError('invalid', `${endpoint} answered with a client that was not asked for: ${read}`)
}

/** The client in an answer (RFC 7591 §3.2.1), or what is wrong with it. Nothing of the answer is repeated: it has a secret. */
function readClient(answer: unknown, asked: ClientDescription, now: number): RegisteredClient | string {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return 'no JSON object'
  const said = answer as Readonly<Record<string, unknown>>
  const {
    client_id: clientId,
    client_secret: secret,
    redirect_uris: redirectUris,
    client_secret_expires_at: ends,
  } = said
  if (typeof clientId !== 'string' || !CLIENT_ID.test(clientId)) return 'it has no client_id'
  // It would be somebody's metadata document: a client that this server has not made.
  if (isHttpUrl(clientId)) return 'its client_id is a URL'
  if (isSaid(redirectUris) && !isSameSet(redirectUris, asked.redirectUris)) return 'it has other redirect URIs'
  if (lacks(said.grant_types, 'authorization_code')) return 'it may not use authorization codes'
  if (lacks(said.response_types, 'code')) return 'it may not use authorization codes'
  if (isSaid(secret) && (typeof secret !== 'string' || !CLIENT_SECRET.test(secret))) return 'its secret is none'
  const hasSecret = typeof secret === 'string' && secret !== ''
  const method = isSaid(said.token_endpoint_auth_method)
    ? METHODS.find((each) => each === said.token_endpoint_auth_method)
    : hasSecret
      ? asked.authentication === 'none'
        ? 'client_secret_basic'
        : asked.authentication
      : 'none'
  if (method === undefined) return 'it authenticates in a way that was not asked for'
  if (method === 'none') return { clientId, authentication: method }
  if (!hasSecret) return 'it has no secret'
  if (isSaid(ends) && !(typeof ends === 'number' && Number.isFinite(ends) && ends >= 0))
    return 'its secret ends at no time'
  const expires = typeof ends === 'number' && ends > 0
  if (expires && ends * 1000 <= now) return 'its secret has expired'
  return { clientId, authentication: method, clientSecret: secret, ...(expires && { secretExpiresAt: ends }) }
}

function isSaid(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
}

function lacks(value: unknown, needed: string): boolean {
  return isSaid(value) && !(Array.isArray(value) && value.includes(needed))
}

function isSameSet(value: unknown, expected: readonly string[]): boolean {
  return Array.isArray(value) && value.length === expected.length && expected.every((each) => value.includes(each))
}
