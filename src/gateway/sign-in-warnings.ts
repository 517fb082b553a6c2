/**
 * What of `signIn` looks as if nobody could ever consent with it, as far as that can be known of somebody else's code: a guard says
 * where its sign-ins end, and whose they are. Warnings, since a host application may know better.
 */
import { warn } from '../core/warnings.ts'
import type { Guard } from '../guard/create-guard.ts'
import { liesOn } from '../match/domains.ts'
import { parseHostPattern } from '../match/host-pattern.ts'
import { integrationsOf } from './check-consent-reach.ts'
import type { GatewayConfig } from './config.ts'

/** What the operator should look at. The configuration has been checked. */
export function signInWarnings(config: GatewayConfig): string[] {
  const { signIn } = config
  if (signIn === undefined || signIn === 'link') return []
  return [originWarning(config, signIn), reachWarning(config, signIn)].filter((each) => each !== undefined)
}

/** Tells them, each as a process warning. */
export function warnOfSignIn(config: GatewayConfig): void {
  for (const each of signInWarnings(config)) warn('SALLYPORT_GATEWAY', each)
}

type KnownSignIn = Exclude<GatewayConfig['signIn'], undefined | 'link'> &
  Partial<Pick<Guard, 'redirectUrls' | 'endpoints'>>

/** A session lives on the origin of the login, and on the hosts that it is handed over to: those of routes with login. */
function originWarning({ url }: GatewayConfig, signIn: KnownSignIn): string | undefined {
  if (typeof signIn.redirectUrls !== 'function') return undefined
  const callbacks = signIn.redirectUrls().map(({ callback }) => callback)
  const own = new URL(url)
  const [first] = callbacks
  if (first === undefined || callbacks.some((callback) => new URL(callback).origin === own.origin)) return undefined
  const isHandedOver = (signIn.endpoints?.() ?? []).some(({ host, redirectUrls }) => {
    if (redirectUrls.length === 0) return false
    const pattern = host === null ? 'none' : parseHostPattern(host)
    return typeof pattern !== 'string' && liesOn(pattern, { name: own.hostname, wildcard: false })
  })
  if (isHandedOver) return undefined
  const where = new URL(first).origin
  return `signIn signs people in at ${where}, and has no route with login on the gateway's own host: at ${own.origin} nobody is signed in, so that nobody can consent`
}

/** Grants that name people out of reach are an error (`checkConsentReach`); what is left are owners of virtual accounts. */
function reachWarning(config: GatewayConfig, { integrations }: KnownSignIn): string | undefined {
  if (integrations === undefined) return undefined
  const { access = [], externalIdentities = {}, virtualAccounts = {}, servers } = config
  if (!Object.values(servers).some(({ auth }) => auth.type === 'oauth2')) return undefined
  const people = [
    ...access.flatMap(({ to }) => to),
    ...Object.values(virtualAccounts).flatMap(({ owners = [] }) => owners),
  ]
  const wanted = [...new Set(people.flatMap((each) => integrationsOf(each, externalIdentities)))]
  if (wanted.length === 0 || wanted.some((each) => integrations.includes(each))) return undefined
  const named = (names: readonly string[]) => names.map((name) => `"${name}"`).join(', ') || 'no integration'
  return `signIn signs in people of ${named(integrations)}; those who may use servers that need consent, or answer for virtual accounts, are of ${named(wanted)}`
}
