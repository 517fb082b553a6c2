/**
 * Callback paths that several authorization servers share: any of them could pass off another's answer as its own (mix-up,
 * RFC 9700 §4.4). So sharing is for servers that say who they are in every answer (RFC 9207).
 */
import { joinPath } from '../../core/config.ts'
import type { ConfigProblem } from '../../core/errors.ts'
import { AuthorizationError } from '../../oauth/authorization-error.ts'
import type { BoundClient } from '../bound-client.ts'
import type { OAuth2Server } from '../broker.ts'
import type { UpstreamClient } from '../upstream-client.ts'
import { authorizationServerOf } from './callback-path.ts'

/** What is wrong with shared paths, as far as the configuration tells. */
export function sharedCallbackProblems(
  clients: readonly Pick<UpstreamClient, 'server' | 'callbackPath'>[],
): ConfigProblem[] {
  return clients.flatMap(({ server, callbackPath }) => {
    const { auth } = server
    const others = clients.filter((other) => other.callbackPath === callbackPath && isAnother(other.server, server))
    // Whether a discovered one sends `iss` shows when it has been discovered.
    const discovered = auth.authorizationUrl === undefined
    if (callbackPath === undefined || others.length === 0 || discovered || auth.allowSharedCallback === true) return []
    const message =
      `is also the callback of ${JSON.stringify(others[0]?.server.id)}, which has another authorization server, and this one ` +
      'is not known to send iss (RFC 9207); leave callbackPath out, or set allowSharedCallback: true'
    return [{ path: joinPath('servers', [server.id, 'auth', 'callbackPath']), message }]
  })
}

/** Clients that are settled. Those that are not have never sent anybody anywhere. */
export async function boundOf(clients: Iterable<UpstreamClient>): Promise<BoundClient[]> {
  const known = await Promise.all([...clients].map((client) => client.known()))
  return known.filter((client) => client !== undefined)
}

/** Whether `client` shares its path with another authorization server. */
export function sharesCallback(client: BoundClient, clients: readonly BoundClient[]): boolean {
  return sharing(client, clients).length > 1
}

/**
 * Refuses a flow on a shared path of which one server does not send `iss`: any of them could get hold of that one's codes.
 *
 * @throws AuthorizationError `rejected`
 * @throws FetchError (`ERR_FETCH`) where it cannot be found out
 */
export async function assertNoMixUp(client: BoundClient, clients: readonly BoundClient[]): Promise<void> {
  const together = sharing(client, clients)
  if (together.length < 2) return
  for (const { server, demandsIss, metadata } of together) {
    if (demandsIss || server.auth.allowSharedCallback === true) continue
    if (!(await metadata()).issParameter) {
      throw new AuthorizationError(
        'rejected',
        `the callback path is shared, and the authorization server of ${server.id} does not send iss (RFC 9207)`,
      )
    }
  }
}

/** The client and those of other authorization servers on its path. */
function sharing(client: BoundClient, clients: readonly BoundClient[]): BoundClient[] {
  const others = clients.filter(
    ({ callbackPath, authorizationServer }) =>
      callbackPath === client.callbackPath && authorizationServer !== client.authorizationServer,
  )
  return [client, ...others]
}

/** Servers that are discovered may turn out to have the same; until then, they are taken for different ones. */
function isAnother(one: OAuth2Server, other: OAuth2Server): boolean {
  if (one.id === other.id) return false
  const found = (auth: OAuth2Server['auth']) => auth.issuer === undefined && auth.authorizationUrl === undefined
  return found(one.auth) || found(other.auth) || authorizationServerOf(one.auth) !== authorizationServerOf(other.auth)
}
