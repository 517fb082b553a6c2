/**
 * Checks that everybody who is granted an `oauth2` server can sign in to connect it (DESIGN, Consent): somebody of an integration
 * that `signIn` knows nothing of would be sent a link that never opens for them.
 */
import type { Grant } from '../access/grants.ts'
import { joinPath } from '../core/config.ts'
import type { ConfigProblem } from '../core/errors.ts'
import type { ExternalIdentity } from '../identity/external-identities.ts'
import { VIRTUAL_ACCOUNT } from '../identity/identity.ts'
import { compileGlob } from '../match/glob.ts'
import type { GatewayConfig, McpServer } from './config.ts'

/** Adds grants that nobody could make use of to `problems`. All parts have been checked on their own. */
export function checkConsentReach(
  grants: readonly Grant[],
  servers: Readonly<Record<string, McpServer>>,
  externalIdentities: Readonly<Record<string, ExternalIdentity>>,
  signIn: GatewayConfig['signIn'],
  problems: ConfigProblem[],
): void {
  // What is no sign-in at all is told elsewhere.
  const reachable = typeof signIn === 'object' ? signIn?.integrations : undefined
  if (!Array.isArray(reachable)) return
  const byConsent = Object.keys(servers).filter((name) => servers[name]?.auth.type === 'oauth2')
  for (const [index, { to, on }] of grants.entries()) {
    const server = byConsent.find((name) => [on].flat().some((pattern) => compileGlob(pattern)(name)))
    if (server === undefined) continue
    for (const [position, pattern] of [to].flat().entries()) {
      const path = joinPath('access', typeof to === 'string' ? [index, 'to'] : [index, 'to', position])
      for (const integration of integrationsOf(pattern, externalIdentities)) {
        if (reachable.includes(integration)) continue
        const message = `people of "${integration}" cannot connect "${server}": signIn signs in people of ${listed(reachable)} only`
        problems.push({ path, message })
      }
    }
  }
}

/** The integrations that those are of whom a pattern of principals stands for. */
export function integrationsOf(
  pattern: string,
  externalIdentities: Readonly<Record<string, ExternalIdentity>>,
): readonly string[] {
  const [kind = '', name = ''] = pattern.split(/:(.*)/s)
  if (kind === 'external-identity') {
    const fits = compileGlob(name)
    const fitting = Object.entries(externalIdentities).filter(([each]) => fits(each))
    return [...new Set(fitting.map(([, { integration }]) => integration))]
  }
  if (kind !== 'user' && kind !== 'group') return []
  const integration = name.slice(0, Math.max(0, name.indexOf('/')))
  return integration === VIRTUAL_ACCOUNT || integration === '' ? [] : [integration]
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'no integration' : names.map((name) => `"${name}"`).join(', ')
}
