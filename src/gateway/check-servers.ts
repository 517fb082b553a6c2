/** Checks the MCP servers of a configuration. */
import { z } from 'zod'
import type { KnownNames } from '../access/check-grants.ts'
import { checkUpstreamAuth } from '../broker/check-upstream-auth.ts'
import { check, joinPath, required } from '../core/config.ts'
import type { ConfigProblem } from '../core/errors.ts'
import { urlProblem } from '../oauth/check-client.ts'
import { checkServerNames } from './check-server-names.ts'
import type { GatewayConfig, McpServer } from './config.ts'
import { serverSchema } from './schema.ts'

/** Adds what is wrong with `servers`, and with the names of `virtualServers`, to `problems`; the servers, if they are fit to be looked at further. */
export function checkServers(
  servers: unknown,
  fixed: Pick<GatewayConfig, 'signIn' | 'url'>,
  known: KnownNames,
  problems: ConfigProblem[],
  virtualServers?: unknown,
): Readonly<Record<string, McpServer>> | undefined {
  const before = problems.length
  if (!check(serversSchema, servers, 'servers', problems)) return undefined
  checkServerNames({ servers, virtualServers }, problems)
  for (const [name, value] of Object.entries(servers as object)) {
    const at = joinPath('servers', [name])
    if (!check(serverSchema, value, at, problems)) continue
    const { url, auth, allowInsecureHttp = false } = value as McpServer
    const message = urlProblem(url, allowInsecureHttp) ?? (url.includes('#') ? FRAGMENT : undefined)
    if (message !== undefined) problems.push({ path: `${at}.url`, message })
    checkUpstreamAuth(auth, `${at}.auth`, { known, gatewayUrl: fixed.url }, problems)
    if (auth?.type === 'oauth2' && fixed.signIn === undefined)
      problems.push({ path: `${at}.auth`, message: NO_SIGN_IN })
  }
  return problems.length === before ? (servers as Readonly<Record<string, McpServer>>) : undefined
}

const serversSchema = required(
  z.record(z.string(), z.unknown()),
  "MCP servers by name: { 'dev/wiki': { url: 'https://wiki.example.com/mcp', auth: { type: 'none' } } }; {} for none yet",
)
const FRAGMENT = 'must not have a fragment, which is never sent'
const NO_SIGN_IN =
  "needs signIn in the configuration: a guard with login, so that it is certain who connects an account; or 'link', typed out"
