/** Whether the servers answer rightly: a figure for one that does not would mean nothing. */
import type { ChildServer } from '../lib/child.ts'
import { type Caller, callBody, HIDDEN_TOOL, upstreamToken } from './context.ts'
import type { Seen } from './servers/fixed.ts'
import { post } from './sessions.ts'

/** A server on the way, and the sessions that are good there. */
export interface Way {
  readonly name: string
  readonly server: ChildServer
  readonly sessions: readonly string[]
}

/** Every caller gets the bytes that it gets from the upstream itself; through the gateway, with its own upstream token. */
export async function checkAnswers(
  way: Way,
  direct: Way,
  upstream: ChildServer,
  callers: readonly Caller[],
): Promise<void> {
  for (const { number, token } of callers) {
    const body = callBody(1000 + number)
    const wanted = await post(direct.server.port, token, direct.sessions[number], body)
    const got = await post(way.server.port, token, way.sessions[number], body)
    const { last } = await upstream.ask<Seen>('seen')
    const same =
      got.status === 200 && got.body === wanted.body && got.headers['content-type'] === wanted.headers['content-type']
    expect(same, `${way.name} answers caller ${number} with ${got.status} ${got.body} for ${wanted.body}`)
    const credential = way.name === 'gateway' ? upstreamToken(number) : token
    expect(last.authorization === `Bearer ${credential}`, `${way.name}: the upstream saw another credential`)
    if (way.name === 'gateway') {
      expect(
        last.session !== way.sessions[number] && last.session !== '',
        'the upstream saw the session id of the gateway',
      )
    }
  }
}

/** What the gateway must not let through does not arrive. */
export async function checkRefusals(gateway: Way, upstream: ChildServer, callers: readonly Caller[]): Promise<void> {
  const { port } = gateway.server
  const [ann, ben] = [callers[0]!, callers[1]!]
  const [annsSession, bensSession] = gateway.sessions
  const before = total(await upstream.ask<Seen>('seen'))

  const hidden = await post(port, ann.token, annsSession, callBody(1000, HIDDEN_TOOL))
  expect(
    hidden.status === 200 && hidden.body.includes('-32602'),
    `a tool without a grant: ${hidden.status} ${hidden.body}`,
  )
  const foreign = await post(port, ann.token, bensSession, callBody(1000))
  expect(foreign.status === 404, `another caller's session: ${foreign.status} ${foreign.body}`)
  const middle = ben.token.length - 40
  const broken = `${ben.token.slice(0, middle)}${ben.token[middle] === 'A' ? 'B' : 'A'}${ben.token.slice(middle + 1)}`
  const forged = await post(port, broken, bensSession, callBody(1000))
  expect(forged.status === 401, `a token with a wrong signature: ${forged.status} ${forged.body}`)

  expect(total(await upstream.ask<Seen>('seen')) === before, 'a refused call has arrived at the upstream')
}

/** Afterwards: every call that went through the gateway had an upstream token, none a caller's, and each was audited. */
export async function checkTotals(
  gateway: ChildServer,
  upstream: ChildServer,
  before: Seen,
  throughGateway: number,
  otherwise: number,
): Promise<void> {
  const after = await upstream.ask<Seen>('seen')
  const ours = total(after, isUpstreamToken) - total(before, isUpstreamToken)
  const others = total(after) - total(before) - ours
  expect(ours === throughGateway, `${throughGateway} calls through the gateway, ${ours} with an upstream token`)
  expect(others === otherwise, `${otherwise} calls on other ways, ${others} with a token of the caller`)
  const outcomes = await gateway.ask<Record<string, number>>('outcomes')
  const audited = outcomes['tools/call relayed'] ?? 0
  expect(audited === throughGateway, `${throughGateway} calls through the gateway, ${audited} audited`)
}

function total({ calls }: Seen, counts: (credential: string) => boolean = () => true): number {
  return Object.entries(calls).reduce((all, [credential, count]) => all + (counts(credential) ? count : 0), 0)
}

function isUpstreamToken(credential: string): boolean {
  return credential.startsWith('Bearer upstream-')
}

export function expect(condition: boolean, message: string): void {
  if (!condition) throw new Error(message)
}
