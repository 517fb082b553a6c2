/** `gateway.doctor`: looks at a server of the configuration, and says in plain words what it found and what to do (B5). */
import { callbackPathOf } from '../broker/consent/callback-path.ts'
import { examine } from '../broker/discovery/examine.ts'
import { createHeaderAuth } from '../broker/header-auth.ts'
import type { UpstreamAuth } from '../broker/upstream-auth.ts'
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { SecretResolver } from '../core/secrets.ts'
import { suggest } from '../core/suggest.ts'
import type { Fetch } from '../net/fetch.ts'
import { rememberCredentials } from '../oauth/client-credentials.ts'
import { doctorFindings } from './doctor-findings.ts'
import { grantFindings } from './doctor-grants.ts'
import { type DoctorFinding, type DoctorReport, doctorReport } from './doctor-report.ts'
import { GatewayError } from './gateway-error.ts'
import type { LiveStates } from './live-state.ts'

/** What it needs. */
export interface DoctorParts {
  readonly live: LiveStates
  /** The gateway's origin. */
  readonly url: string
  /** The path that callbacks begin with. */
  readonly callback: string
  readonly fetch: Fetch | undefined
  readonly secrets: SecretResolver | undefined
}

/** See the top of the file. */
export function createDoctor({
  live,
  url,
  callback,
  fetch,
  secrets,
}: DoctorParts): (server: string) => Promise<DoctorReport> {
  return async (name) => {
    const { servers, virtualServers } = live.current
    const found = servers.get(name)
    const virtual = virtualServers.get(name)
    if (virtual !== undefined) {
      const members = [...virtual.byName.keys()].join(', ')
      throw new GatewayError('ERR_UNKNOWN_SERVER', `"${name}" is a virtual server: ask for its members, ${members}`)
    }
    if (found === undefined) {
      throw new GatewayError('ERR_UNKNOWN_SERVER', `there is no server "${name}"${suggest(name, servers.keys())}`)
    }
    const { config } = found
    const { auth, allowInsecureHttp = false } = config
    const own = auth.type === 'oauth2' ? auth : undefined
    const seen = await examine({ id: name, url: config.url, auth: own, allowInsecureHttp }, url, fetch)
    const redirectUrl = (issuer: string) =>
      `${url}${own === undefined ? '' : callbackPathOf({ ...own, issuer }, callback)}`
    const { findings, suggestion } = doctorFindings(config, seen, redirectUrl)
    const grants = await grantFindings({ id: name, url: config.url, auth }, seen, fetch)
    const missing = await missingSecrets(auth, secrets)
    // With `oauth2` there is none before somebody has consented.
    const isUntried = auth.type !== 'none' && auth.type !== 'oauth2'
    return doctorReport(name, [...findings, ...grants, ...missing], suggestion, isUntried)
  }
}

/** What is missing of the gateway's own secrets at the server: without it no call gets there. */
async function missingSecrets(auth: UpstreamAuth, secrets: SecretResolver | undefined): Promise<DoctorFinding[]> {
  const lookUp = async (client: Parameters<typeof rememberCredentials>[0]) => {
    const found = await Promise.allSettled([rememberCredentials(client, secrets)()])
    return found.flatMap((each) => (each.status === 'rejected' ? [messageOf(each.reason)] : []))
  }
  const isHeader = auth.type === 'header'
  const messages = isHeader
    ? await createHeaderAuth(auth, { secrets, clock: systemClock }).missing()
    : [...('clientId' in auth ? await lookUp(auth) : []), ...('idp' in auth ? await lookUp(auth.idp) : [])]
  const about = isHeader ? 'challenge' : 'registration'
  return [...new Set(messages)].map((message) => ({ about, level: 'bad', message }))
}
