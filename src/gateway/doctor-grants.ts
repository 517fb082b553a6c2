/** What an operator should know about a server whose tokens an authorization server gives by itself. */
import type { Examination } from '../broker/discovery/examine.ts'
import type { GrantedUpstreamAuth } from '../broker/granted/auth.ts'
import { type ExaminedGrant, examineGrants } from '../broker/granted/examine.ts'
import { type Fetch, presentable } from '../net/fetch.ts'
import type { ServerMetadata } from '../oauth/metadata.ts'
import { OFFLINE_ACCESS } from '../oauth/scopes.ts'
import { ID_JAG_PROFILE, JWT_BEARER } from '../oauth/token-grant.ts'
import type { McpServer } from './config.ts'
import type { DoctorFinding } from './doctor-report.ts'

/** Looks, and says what it saw; nothing of servers of other kinds. No token is asked for: that takes somebody's own. */
export async function grantFindings(
  { id, url, auth }: Pick<McpServer, 'url' | 'auth'> & { readonly id: string },
  seen: Examination,
  fetch: Fetch | undefined,
): Promise<readonly DoctorFinding[]> {
  if (auth.type !== 'token_exchange' && auth.type !== 'identity_assertion' && auth.type !== 'client_credentials')
    return []
  const grants = await examineGrants({ id, url, auth }, seen, fetch)
  return [...grants.flatMap(aboutGrant), aboutScopes(auth, seen)]
}

function aboutGrant(grant: ExaminedGrant): readonly DoctorFinding[] {
  const { about, named, written, metadata } = grant
  const what = about === 'identity_provider' ? 'identity provider' : 'authorization server'
  if (metadata.kind !== 'found') {
    const who =
      named === undefined ? `the ${what} that the MCP server should name` : `the ${what} ${presentable(named)}`
    const why = metadata.kind === 'failed' ? metadata.detail : 'the MCP server has no metadata (RFC 9728)'
    return [{ about, level: 'bad', message: `${who} cannot be used: ${why}` }]
  }
  const { issuer, tokenUrl } = metadata.value
  const where = named === undefined ? 'named by the MCP server' : 'as configured'
  const place = written
    ? `${presentable(tokenUrl ?? '')}, ${where}; it was not asked what it takes`
    : `${presentable(issuer)}, ${where}`
  const findings: DoctorFinding[] = [{ about, level: 'good', message: `tokens are asked for at the ${what} ${place}` }]
  return written ? findings : [...findings, ...aboutTaken(grant, metadata.value)]
}

/** What its metadata says that it takes, and what it leaves out. */
function aboutTaken({ grantType, authentication }: ExaminedGrant, metadata: ServerMetadata): readonly DoctorFinding[] {
  const { grantTypes, grantProfiles, tokenAuthentication } = metadata
  const issuer = presentable(metadata.issuer)
  const findings: DoctorFinding[] = []
  const add = (about: 'grant' | 'registration', level: DoctorFinding['level'], message: string) =>
    findings.push({ about, level, message })
  if (grantTypes === undefined) add('grant', 'good', `${issuer} does not say which grants it takes`)
  else if (grantTypes.includes(grantType)) add('grant', 'good', `${issuer} takes the grant ${grantType}`)
  else add('grant', 'odd', `${issuer} does not list the grant ${grantType} (grant_types_supported)`)
  if (grantType === JWT_BEARER && grantProfiles?.includes(ID_JAG_PROFILE) !== true) {
    add(
      'grant',
      'odd',
      `${issuer} does not say that it takes identity assertions (authorization_grant_profiles_supported)`,
    )
  }
  if (tokenAuthentication?.includes(authentication) === false) {
    const listed = tokenAuthentication.slice(0, 10).join(' ')
    add(
      'registration',
      'odd',
      `${issuer} does not list ${authentication}, which the client is configured for: ${listed}`,
    )
  }
  return findings
}

function aboutScopes({ scopes }: GrantedUpstreamAuth, { probe, resource }: Examination): DoctorFinding {
  const about = 'scopes'
  if (scopes !== undefined) {
    return { about, level: 'good', message: `asked for are the configured scopes: ${scopes.join(' ') || 'none'}` }
  }
  const challenge = probe.kind === 'found' ? probe.value.challenge?.scopes : undefined
  const wanted = challenge ?? (resource.kind === 'found' ? resource.value.scopes : undefined) ?? []
  const found = wanted.filter((each) => each !== OFFLINE_ACCESS)
  if (found.length === 0) return { about, level: 'good', message: 'no scopes are asked for' }
  return { about, level: 'good', message: `asked for are the scopes that it wants: ${found.slice(0, 20).join(' ')}` }
}
