/** `gateway.doctor`: looks at a server of the configuration, and says in plain words what it found and what to do (B5). */
import { callbackPathOf } from '../broker/consent/callback-path.ts'
import { examine } from '../broker/discovery/examine.ts'
import { suggest } from '../core/suggest.ts'
import type { Fetch } from '../net/fetch.ts'
import { doctorFindings } from './doctor-findings.ts'
import { grantFindings } from './doctor-grants.ts'
import { type DoctorReport, doctorReport } from './doctor-report.ts'
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
}

/** See the top of the file. */
export function createDoctor({ live, url, callback, fetch }: DoctorParts): (server: string) => Promise<DoctorReport> {
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
    return doctorReport(name, [...findings, ...grants], suggestion)
  }
}
