/** When a member of a virtual server is listened to again. */
import { expect, test } from 'vitest'
import { beginListening, noteProblem, noteRefusal } from '../../src/gateway/virtual/listening.ts'
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
  noteRefusal(listening, link, result)
  expect(listening).toEqual({ over, heard: undefined, refused: result.kind === 'session_over' ? link : undefined })
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
