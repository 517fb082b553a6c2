/** What a guard protects, as a list for people. */
import type { RedirectUrls } from '../login/create-login.ts'
import type { CheckedRoute } from './check-config.ts'

/** One protected place. */
export interface Endpoint {
  /** The route's name. */
  readonly route: string
  /** Where it answers: `https://s1.example.com/`, or for a route that is not exposed `http://s1.ns.svc.cluster.local:8080/`. `null` for a route on any host. */
  readonly url: string | null
  /** `s1.example.com`, `*.example.com`; `null` for any. */
  readonly host: string | null
  /** The prefix, `/api`; `/` for all paths. */
  readonly path: string
  /** The port that connections come in on; `null` for any. */
  readonly port: number | null
  /** `GET`, `POST`; `null` for all. */
  readonly methods: readonly string[] | null
  /** Whether clients outside `internalNetworks` reach it. */
  readonly exposed: boolean
  /** How callers are known. */
  readonly auth: 'none' | 'basic' | 'jwt'
  /** The integrations of a JWT route. */
  readonly integrations: readonly string[]
  /** Where providers send people back who sign in for this route; to be registered there. */
  readonly redirectUrls: readonly string[]
}

/** The endpoint of a route. */
export function toEndpoint(
  { name, pattern, host, exposed, auth }: CheckedRoute,
  redirectUrls: readonly RedirectUrls[],
): Endpoint {
  const integrations = auth.type === 'jwt' ? [auth.integration].flat() : []
  const path = pattern.path === '/' ? '/' : `${encodeURI(pattern.path)}/`
  const port = pattern.port === undefined ? '' : `:${pattern.port}`
  // The port that the service listens on is where it answers inside; outside, a load balancer has its own.
  const url = host === undefined ? null : exposed ? `https://${host}${path}` : `http://${host}${port}${path}`
  return {
    route: name,
    url,
    host: host ?? null,
    path: pattern.path,
    port: pattern.port ?? null,
    methods: pattern.methods ?? null,
    exposed,
    auth: auth.type,
    integrations,
    redirectUrls:
      auth.type === 'jwt' && auth.login
        ? redirectUrls.filter(({ integration }) => integrations.includes(integration)).map(({ callback }) => callback)
        : [],
  }
}
