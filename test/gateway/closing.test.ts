/** What becomes of requests under way when a gateway is closed. */
import { Agent } from 'undici'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { event, listen, startStub } from './attack-parts.ts'
import { ask, callTool, EVERYTHING, openSession, rpc, send, startWorld, type WorldOptions } from './world.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const RESULT = { content: [{ type: 'text', text: 'done' }] }

/** A gateway before an upstream whose calls wait; `plain` and `virtual` are its two ways there. */
async function open(options: Partial<WorldOptions> = {}) {
  const stub = await startStub()
  const calls: (() => void)[] = []
  stub.answer = (_, response, body) => {
    const { id, method, params } = JSON.parse(body || '{}')
    if (method !== 'tools/call') return false
    const answer = { jsonrpc: '2.0', id, result: RESULT }
    if (params.name === 'search') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': here\n\n')
      calls.push(() => response.end(event(answer)))
    } else calls.push(() => response.writeHead(200, JSON_TYPE).end(JSON.stringify(answer)))
    return true
  }
  const world = await startWorld({
    servers: { 'dev/one': { url: stub.url, auth: { type: 'none' } } },
    virtualServers: { 'dev/all': { tools: { 'dev/one': ['ok', 'search'] } } },
    access: [EVERYTHING],
    ...options,
  })
  const token = await world.jwt('alice')
  async function session(name: 'dev/one' | 'dev/all') {
    const url = world.endpoint(name)
    const headers = await openSession(url, token)
    await rpc(url, { token, headers, body: ask('tools/list') })
    return {
      call: (tool: 'ok' | 'search') => rpc(url, { token, headers, body: callTool(tool, {}, `my ${tool}`) }),
      get: async () => listen(await send(url, { token, headers, method: 'GET' })),
    }
  }
  /** Once so many calls are there. */
  const arrived = (count: number) => expect.poll(() => calls).toHaveLength(count)
  return { world, calls, session, arrived }
}

/** From here on time goes as it is told. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
}

describe.each(['dev/one', 'dev/all'] as const)('closing, of %s', (name) => {
  test('a call is answered whole, as JSON and in events; whoever only listens is sent away at once', async () => {
    const { world, calls, session, arrived } = await open()
    const { call, get } = await session(name)
    const stream = await get()
    const answers = [call('ok'), call('search')]
    await arrived(2)
    const closed = world.gateway.close()
    await stream.ended
    expect((await call('ok')).status).toBe(503)
    for (const answer of calls) answer()
    for (const { status, json } of await Promise.all(answers)) expect([status, json.result]).toEqual([200, RESULT])
    await closed
    const outcomes = world.audits.flatMap((each) =>
      each.type === 'request' && each.methods[0] === 'tools/call' ? [each.outcome] : [],
    )
    expect(outcomes.sort()).toEqual(['relayed', 'relayed'])
  })

  test('a call that takes more than five seconds is answered 503 with its id, or broken off', async () => {
    const { world, session, arrived } = await open()
    const { call } = await session(name)
    const [json, events] = [call('ok'), call('search').catch(() => 'broken off')]
    await arrived(2)
    stopClock()
    const closed = world.gateway.close()
    await vi.advanceTimersByTimeAsync(4_900)
    expect(world.audits.filter((each) => each.type === 'request' && each.reason === 'closing')).toEqual([])
    await vi.advanceTimersByTimeAsync(200)
    await closed
    const { status, json: said } = await json
    expect([status, said.id, said.error.code]).toEqual([503, 'my ok', 5030])
    expect(said.error.message).toContain('the gateway is being closed')
    await events
    const reasons = () =>
      world.audits.flatMap((each) =>
        each.type === 'request' && each.methods[0] === 'tools/call' ? [[each.outcome, each.reason]] : [],
      )
    await expect.poll(reasons).toHaveLength(2)
    expect(reasons()).toContainEqual(['failed', 'closing'])
  })

  test('is done at once where nothing is under way, and twice is once', async () => {
    const { world, session } = await open()
    await (await session(name)).get()
    stopClock()
    await Promise.all([world.gateway.close(), world.gateway.close()])
  })

  test('through a dispatcher of somebody else, which stays open', async () => {
    const dispatcher = new Agent()
    onTestFinished(() => dispatcher.destroy())
    const { world, session, arrived } = await open({ dispatcher })
    const { call } = await session(name)
    const answer = call('ok')
    await arrived(1)
    stopClock()
    const closed = world.gateway.close()
    await vi.advanceTimersByTimeAsync(5_100)
    await closed
    expect((await answer).status).toBe(503)
    expect([dispatcher.closed, dispatcher.destroyed]).toEqual([false, false])
  })
})
