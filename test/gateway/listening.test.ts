/** When a member of a virtual server is listened to again. */
import { expect, test } from 'vitest'
import { beginListening, noteHeard, noteProblem, noteRefusal } from '../../src/gateway/virtual/listening.ts'
import type { SendResult, UpstreamLink } from '../../src/mcp/upstream-peer.ts'

const link: UpstreamLink = {
  era: 'legacy',
  revision: '2025-11-25',
  endpoint: 'http://one.test/mcp',
  sessionId: 's',
  capabilities: {},
}
const failed = (upstreamStatus: number | null) =>
  ({ kind: 'failed', reason: 'nonsense', upstreamStatus, detail: '' }) as const

test.each<[string, SendResult, boolean]>([
  ['is down', failed(null), false],
  ['is unwell', failed(503), false],
  ['has too much to do', failed(429), false],
  ['has another stream of the session still', failed(409), false],
  [
    'has another stream still, and says so in JSON-RPC',
    { kind: 'error', upstreamStatus: 409, message: {} as never, challenge: undefined },
    false,
  ],
  ['has no streams', failed(405), true],
  [
    'has no streams, and says so in JSON-RPC',
    { kind: 'error', upstreamStatus: 405, message: {} as never, challenge: undefined },
    true,
  ],
  ['does not allow it', failed(403), true],
  ['does not take the token', { kind: 'unauthorized', challenge: undefined, upstreamStatus: 401 }, true],
  ['answers with something else', { kind: 'accepted', upstreamStatus: 202 }, true],
  ['does not know the session', { kind: 'session_over', upstreamStatus: 404 }, false],
])('a member that %s', (_, result, over) => {
  const listening = beginListening()
  noteRefusal(listening, { link, credential: 'header', stamp: undefined }, result)
  const refused = result.kind === 'session_over' ? link : undefined
  expect(listening).toEqual({ over, heard: undefined, refused, rejected: undefined })
})

test.each([
  [failed(null), false],
  [failed(500), false],
  [failed(400), true],
  [{ kind: 'unavailable', retryAfterMs: 1_000, detail: '' } as const, false],
  [{ kind: 'need', need: { kind: 'person' } } as const, true],
  [{ kind: 'misconfigured', detail: '' } as const, true],
])('a member that cannot be reached: %j', (problem, over) => {
  const listening = beginListening()
  noteProblem(listening, problem)
  expect(listening.over).toBe(over)
})

test('a token that a member does not take is renewed, and the new one is known as such until one is taken', () => {
  const listening = beginListening()
  const refusal = { kind: 'unauthorized', challenge: 'Bearer', upstreamStatus: 401 } as const
  const rejected = { kind: 'oauth2', challenge: 'Bearer' } as const
  noteRefusal(listening, { link, credential: 'oauth2', stamp: 'one' }, refusal)
  expect(listening).toMatchObject({ over: false, rejected: { ...rejected, stamp: 'one', isNew: false } })
  noteRefusal(listening, { link, credential: 'oauth2', stamp: 'two' }, refusal)
  expect(listening).toMatchObject({ over: false, rejected: { ...rejected, stamp: 'two', isNew: true } })
  noteHeard(listening, link)
  noteRefusal(listening, { link, credential: 'oauth2', stamp: 'three' }, refusal)
  expect(listening).toMatchObject({ over: false, rejected: { ...rejected, stamp: 'three', isNew: false } })
})
