/** What the guard's tests share: requests made by hand, a guard with one integration, and its events. */
import type { IncomingHttpHeaders } from 'node:http'
import { onTestFinished } from 'vitest'
import {
  createGuard,
  type Decision,
  type GateRequest,
  type Guard,
  type GuardConfig,
  type Integration,
  type JwtAuth,
  type KeyReport,
  type Outcome,
  type Reply,
} from '../../src/index.ts'
import { createTestClock, type ProviderServer, type TestClock } from '../support/keys.ts'

/** What differs from `GET http://app.example.com/` from this machine. */
export interface RequestParts {
  readonly method?: string
  readonly target?: string
  readonly host?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly from?: string
  readonly encrypted?: boolean
  readonly port?: number
  readonly kind?: 'http' | 'upgrade'
}

/** A request as an adapter makes it. */
export function request(parts: RequestParts = {}): GateRequest {
  const { method = 'GET', target = '/', headers = {}, from = '127.0.0.1', encrypted = false, port = 8080 } = parts
  const host = 'host' in parts ? parts.host : 'app.example.com'
  const lines = Object.entries({ ...(host === undefined ? {} : { Host: host }), ...headers })
  return {
    method,
    target,
    headers: Object.fromEntries(lines.map(([name, value]) => [name.toLowerCase(), value])) as IncomingHttpHeaders,
    rawHeaders: lines.flat(),
    peer: { address: from, encrypted },
    localPort: port,
    body: { kind: 'none' },
    signal: new AbortController().signal,
    host: undefined,
    kind: parts.kind ?? 'http',
  }
}

/** A request with a bearer token. */
export function withToken(token: string, parts: RequestParts = {}): GateRequest {
  return request({ ...parts, headers: { ...parts.headers, Authorization: `Bearer ${token}` } })
}

/** A request with basic credentials. */
export function withPassword(username: string, password: string, parts: RequestParts = {}): GateRequest {
  const credentials = Buffer.from(`${username}:${password}`).toString('base64')
  return request({ ...parts, headers: { ...parts.headers, Authorization: `Basic ${credentials}` } })
}

/** An outcome in a few words: `pass`, `skip`, or the status. */
export async function ask(guard: Guard, asked: GateRequest): Promise<number | 'pass' | 'skip'> {
  const outcome = await guard.handle(asked)
  return outcome.kind === 'reply' ? outcome.reply.status : outcome.kind
}

/** The reply to a request that gets one. */
export async function replyTo(guard: Guard, asked: GateRequest): Promise<Reply> {
  const outcome = await guard.handle(asked)
  if (outcome.kind !== 'reply') throw new Error(`expected a reply, got ${outcome.kind}`)
  return outcome.reply
}

/** What the application would get for a request that passes. */
export async function authOf(guard: Guard, asked: GateRequest) {
  const outcome: Outcome = await guard.handle(asked)
  if (outcome.kind !== 'pass') throw new Error(`expected pass, got ${JSON.stringify(outcome)}`)
  return outcome.auth
}

/** A header field of a reply. */
export function field(reply: Reply, name: string): string | readonly string[] | undefined {
  return reply.headers?.[name]
}

/** A guard that is closed when the test ends. */
export function guardFor(config: GuardConfig): Guard {
  const guard = createGuard(config)
  onTestFinished(() => guard.close())
  return guard
}

/** A guard with one JWT route on `/`, whose tokens come from `provider`. */
export function jwtGuard(
  provider: ProviderServer,
  parts: { integration?: Partial<Integration>; auth?: Partial<JwtAuth>; config?: Partial<GuardConfig> } = {},
): { guard: Guard; clock: TestClock; events: Events } {
  const clock = createTestClock()
  const integration: Integration = {
    issuer: provider.url,
    jwksUri: provider.jwksUri,
    audience: 'orders-api',
    ...parts.integration,
  }
  const guard = guardFor({
    clock,
    integrations: { corp: integration },
    routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', ...parts.auth } }],
    ...parts.config,
  })
  return { guard, clock, events: listen(guard) }
}

/** Claims that such a guard accepts. */
export function claimsFor(provider: ProviderServer, clock: TestClock, more: object = {}): Record<string, unknown> {
  return { iss: provider.url, aud: 'orders-api', sub: 'ann', exp: clock.now() / 1000 + 3600, ...more }
}

/** Everything that a guard tells. */
export interface Events {
  readonly decisions: Decision[]
  readonly keys: KeyReport[]
  /** The reason of the last decision. */
  readonly reason: string | undefined
  /** Waits for one more fetch of keys to end. */
  nextKeys(): Promise<KeyReport>
}

/** Collects a guard's events. */
export function listen(guard: Guard): Events {
  const decisions: Decision[] = []
  const keys: KeyReport[] = []
  guard.on('decision', (decision) => decisions.push(decision))
  guard.on('keys', (report) => keys.push(report))
  return {
    decisions,
    keys,
    get reason() {
      return decisions.at(-1)?.reason
    },
    nextKeys: () =>
      new Promise((resolve) => {
        const stop = guard.on('keys', (report) => {
          stop()
          resolve(report)
        })
      }),
  }
}
