/** Protected resource metadata: found by the challenge and at the well-known place, and about this very server (RFC 9728). */
import { probe } from './probe.ts'
import { type AuthorizationScenario, type Checks, collectChecks, SPEC } from './scenario.ts'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

/** See the top of the file. */
export const RESOURCE_METADATA: AuthorizationScenario = {
  name: 'authorization/resource-metadata',
  source: { introducedIn: '2025-06-18' },
  description: 'A client that knows nothing but the URL of a server finds out where to get a token for it.',
  async run({ serverUrl }, revision) {
    const checks = collectChecks()
    const { origin, pathname } = new URL(serverUrl)
    const { status, challenge } = await probe(serverUrl, revision)
    const named = challenge?.resource_metadata
    checks.add('authorization-401', 'No token is answered 401', SPEC.authorization, is(status, 401))
    const isUrl = named !== undefined && URL.canParse(named)
    const missing = isUrl ? undefined : `WWW-Authenticate has no resource_metadata URL: ${JSON.stringify(challenge)}`
    checks.add('authorization-401-metadata', 'The 401 names the metadata', SPEC.metadata, missing)
    const places = new Map([['well-known', `${origin}${WELL_KNOWN}${pathname === '/' ? '' : pathname}`]])
    if (isUrl) places.set('challenge', named)
    for (const [place, url] of places) await checkDocument(checks, place, url, serverUrl)
    return checks.all
  },
}

async function checkDocument(checks: Checks, place: string, url: string, serverUrl: string): Promise<void> {
  const response = await fetch(url, { redirect: 'manual' })
  const type = response.headers.get('content-type') ?? ''
  const document = (await response.json().catch(() => ({}))) as {
    readonly resource?: unknown
    readonly authorization_servers?: unknown
    readonly scopes_supported?: unknown
    readonly bearer_methods_supported?: unknown
  }
  const at = `metadata-${place}`
  const found = response.status === 200 && /^application\/json\b/.test(type)
  const answer = `${response.status} ${type}`
  checks.add(`${at}-found`, `The metadata is JSON at ${url}`, SPEC.metadata, found ? undefined : answer)
  // RFC 9728 §3.3: identical, code point by code point, or clients must not use it.
  const { resource, authorization_servers: servers, scopes_supported: scopes = [] } = document
  checks.add(`${at}-resource`, 'resource is the URL of the server', SPEC.metadata, is(resource, serverUrl))
  const named = Array.isArray(servers) && servers.length > 0 && servers.every((each) => URL.canParse(each))
  const what = `authorization_servers is ${JSON.stringify(servers)}`
  checks.add(`${at}-servers`, 'authorization_servers names at least one', SPEC.authorization, named ? undefined : what)
  const { bearer_methods_supported: methods = ['header'] } = document
  const header = Array.isArray(methods) && methods.includes('header') && !methods.includes('query')
  const how = `bearer_methods_supported is ${JSON.stringify(methods)}`
  checks.add(
    `${at}-methods`,
    'Tokens are taken in the header, never in the query',
    SPEC.metadata,
    header ? undefined : how,
  )
  const offline = Array.isArray(scopes) && scopes.includes('offline_access') ? 'it has offline_access' : undefined
  const description = 'scopes_supported leaves refresh tokens to client and authorization server'
  checks.add(`${at}-offline-access`, description, SPEC.authorization, offline, 'should')
}

function is(actual: unknown, expected: unknown): string | undefined {
  return actual === expected ? undefined : `it is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`
}
