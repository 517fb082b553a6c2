/** B6: answers of a virtual server that nobody gets, since another one takes their place: the calls behind them end with them. */
import type { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { eventsReply } from '../../src/gateway/virtual/answer.ts'
import { Abort } from '../../src/http/abort.ts'
import { done, event, startStub } from './attack-parts.ts'
import { GRANT, open, startVirtual } from './virtual-parts.ts'
import { ask, callTool, openSession, rpc } from './world.ts'

/** A legacy member whose answers to calls of `stream`, and to `logging/setLevel`, begin and do not end. */
async function startEndless() {
  const stub = await startStub()
  const calls = { begun: 0, open: 0 }
  stub.answer = (_request, response, body) => {
    if (!body.includes('"name":"stream"') && !body.includes('logging/setLevel')) return false
    calls.begun++
    calls.open++
    response.once('close', () => calls.open--)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const params = { level: 'info', data: 'begun' }
    return done(response.write(event({ jsonrpc: '2.0', method: 'notifications/message', params })))
  }
  return { url: stub.url, calls }
}

describe('a call that has begun in a batch is ended', () => {
  test('where another call of nobody in particular is answered 401', async () => {
    const { url: endless, calls } = await startEndless()
    const other = await startStub()
    const { url } = await startVirtual(
      {
        'dev/one': open(endless, { era: 'legacy' }),
        'dev/two': { url: other.url, era: 'legacy', auth: { type: 'passthrough' } },
      },
      { tools: { 'dev/one': ['stream'], 'dev/two': ['evil'] }, require: 'any' },
      { access: [{ to: 'anonymous', on: 'team/all' }] },
    )
    const { status } = await rpc(url, { body: [callTool('stream', {}, 1), callTool('evil', {}, 2)] })
    expect([status, calls.begun]).toEqual([401, 1])
    await expect.poll(() => calls.open).toBe(0)
  })

  test.each(['before', 'after'] as const)('where a decision about another message fails %s it has', async (when) => {
    const { url: endless, calls } = await startEndless()
    const { url, token } = await startVirtual(
      { 'dev/one': open(endless, { era: 'legacy' }) },
      { tools: { 'dev/one': '*' } },
      {
        access: [GRANT],
        async decide({ listing, granted }) {
          if (!listing) return granted.allowed
          if (when === 'after') await expect.poll(() => calls.open).toBe(1)
          throw new Error('it is down')
        },
      },
    )
    const headers = await openSession(url, token, '2025-03-26')
    const { status } = await rpc(url, { token, headers, body: [callTool('stream', {}, 1), ask('tools/list', {}, 2)] })
    expect(status).toBe(503)
    await expect.poll(() => calls.open).toBe(0)
  })
})

test('what a member says to a level is not waited for', async () => {
  const { url: endless, calls } = await startEndless()
  const { url, token } = await startVirtual(
    { 'dev/one': open(endless, { era: 'legacy' }) },
    { tools: { 'dev/one': '*' } },
  )
  const headers = await openSession(url, token)
  await rpc(url, { token, headers, body: callTool('ok', {}, 1) })
  await rpc(url, { token, headers, body: ask('logging/setLevel', { level: 'info' }, 2) })
  expect(calls.begun).toBe(1)
  // By itself it would end after ten seconds.
  await expect.poll(() => calls.open, { timeout: 8_000 }).toBe(0)
})

describe('a stream of events', () => {
  async function* messages() {
    yield Buffer.from('{}')
  }

  test('that is destroyed before anybody has read it ends what it comes from', () => {
    const abort = new Abort()
    const body = eventsReply(messages(), abort).body as Readable
    body.destroy()
    expect(abort.aborted).toBe(true)
  })

  test('that has been read leaves alone what waits behind it', async () => {
    const abort = new Abort()
    const body = eventsReply(messages(), abort).body as Readable
    expect(await body.toArray()).toHaveLength(1)
    expect([body.destroyed, abort.aborted]).toEqual([true, false])
  })
})
