/** What an MCP server says about the tokens that it wants (RFC 9728), for servers whose configuration leaves that out. */
import { presentable } from '../../net/fetch.ts'
import { AuthorizationError } from '../../oauth/authorization-error.ts'
import { discoverIssuer } from '../../oauth/discover-issuer.ts'
import type { DocumentFetch } from '../../oauth/fetch-document.ts'
import { tokenEndpointProblem } from '../../oauth/find-token-endpoint.ts'
import type { ServerMetadata } from '../../oauth/metadata.ts'
import { chooseScopes, OFFLINE_ACCESS } from '../../oauth/scopes.ts'
import { JWT_BEARER } from '../../oauth/token-grant.ts'
import { findResource } from '../discovery/find-authorization.ts'

/** See the top of the file. */
export interface GrantSurvey {
  /** What the server calls itself. */
  readonly resource: string | undefined
  readonly scopes: readonly string[]
  /** Issuers, in the order in which it names them. */
  readonly authorizationServers: readonly string[]
}

/** Whoever lists more is not asked about all of them. */
const MAX_SERVERS = 3

/**
 * Asks the MCP server.
 *
 * @throws FetchError (`ERR_FETCH`) where it cannot be told
 */
export async function surveyServer(url: string, documents: DocumentFetch): Promise<GrantSurvey> {
  const { probe, metadata } = await findResource(url, documents)
  const scopes = chooseScopes({
    challenge: probe.challenge?.scopes,
    resource: metadata?.scopes,
    authorizationServer: undefined,
  })
  return {
    resource: metadata?.resource,
    // There is nobody to be offline.
    scopes: scopes.filter((each) => each !== OFFLINE_ACCESS),
    authorizationServers: metadata?.authorizationServers ?? [],
  }
}

/**
 * The authorization server for assertions: the first that the MCP server names and that takes them.
 *
 * @throws AuthorizationError `rejected` where there is none, `unavailable` where that cannot be told, FetchError (`ERR_FETCH`)
 */
export async function findAssertionServer(
  url: string,
  { authorizationServers }: Pick<GrantSurvey, 'authorizationServers'>,
  documents: DocumentFetch,
): Promise<ServerMetadata> {
  const problems: string[] = []
  for (const issuer of authorizationServers.slice(0, MAX_SERVERS)) {
    const found = await discoverIssuer(issuer, documents)
    const problem = found === undefined ? 'has no metadata (RFC 8414)' : assertionProblem(found, documents)
    if (found !== undefined && problem === undefined) return found
    problems.push(`${issuer} ${problem}`)
  }
  const why =
    problems.length > 0 ? problems.join('; ') : `the MCP server at ${presentable(url)} names no authorization server`
  throw new AuthorizationError('rejected', why)
}

function assertionProblem(metadata: ServerMetadata, { allowInsecureHttp }: DocumentFetch): string | undefined {
  if (metadata.grantTypes?.includes(JWT_BEARER) === false) return 'takes no assertions (grant_types_supported)'
  return tokenEndpointProblem(metadata, allowInsecureHttp)
}
