/** The answers that a gate gives itself. */
import { describe, expect, it } from 'vitest'
import { problem } from '../../src/http/replies.ts'

describe('problem details (RFC 9457)', () => {
  it('says what the status says, and is not stored', () => {
    expect(problem(404)).toEqual({
      status: 404,
      headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
      body: '{"type":"about:blank","title":"Not Found","status":404}',
    })
  })

  it('takes headers and a detail', () => {
    const reply = problem(503, { 'retry-after': '5', 'cache-control': 'no-cache' }, 'a "detail"')
    expect(reply.headers).toMatchObject({ 'retry-after': '5', 'cache-control': 'no-cache' })
    expect(JSON.parse(String(reply.body))).toEqual({
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      detail: 'a "detail"',
    })
  })

  it('has a title for a status that nobody knows', () => {
    expect(JSON.parse(String(problem(599).body)).title).toBe('Error')
  })
})
