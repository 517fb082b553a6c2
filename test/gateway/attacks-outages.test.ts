/** What is needed is away, at each step in turn: 503 and never a pass, and nothing is lost by it (G9, B1). */
import { StoreError } from 'sallyport'
import { memoryStore } from 'sallyport/stores/memory'
import { describe, expect, test } from 'vitest'
import { operatedStore } from '../../src/testing/failing-store.ts'
import { modern, startConsentWorld, startStub } from './attack-parts.ts'
import { open, startVirtual } from './virtual-parts.ts'
import { ask, callTool, EVERYTHING, initialize, openSession, rpc, startWorld } from './world.ts'

/** A store of which single operations fail, done or not done. */
function fragileStore() {
  const state = { failing: Number.POSITIVE_INFINITY, turn: 0, when: 'before' as 'before' | 'after', down: false }
  const { changes: _, ...kept } = memoryStore()
  const store = operatedStore(kept, async (_turn, operation) => {
    const mine = state.turn++
    if (state.down || (mine === state.failing && state.when === 'before')) throw new StoreError('away')
    const result = await operation()
    if (mine === state.failing) throw new StoreError('away, and done')
    return result
  })
  return { store, state }
}

describe('the store', () => {
  test('failing at any one operation of a call, a consent or a refresh: no pass, no 401, and the next try works', async () => {
    for (const when of ['before', 'after'] as const) {
      for (let failing = 0; failing < 12; failing++) {
        const { store, state } = fragileStore()
        const { world, url, link, browserOf, notes } = await startConsentWorld({ store })
        const token = await world.jwt('alice')
        Object.assign(state, { failing, turn: 0, when })
        const first = await rpc(url, { token, body: initialize('2025-06-18') })
        expect([when, failing, first.status === 503 || first.json.error.code === 4011]).toEqual([when, failing, true])
        const made = await link(token).catch(() => link(token))
        const browser = browserOf('alice')
        // Whatever fails on the way: trying again gets there.
        for (let tries = 0; tries < 4; tries++) {
          const page = await browser.load(tries === 0 ? made : await link(token).catch(() => made))
          if (page.status === 200 && page.body.includes('<form')) await browser.submit(page, {})
          const answer = await rpc(url, { token, body: callTool('ok') })
          if (answer.json?.result !== undefined) break
          expect([200, 503]).toContain(answer.status)
        }
        const works = await rpc(url, { token, body: callTool('ok') })
        expect([when, failing, works.json.result?.content[0].text]).toEqual([when, failing, 'did ok'])
        expect((await rpc(url, { token: await world.jwt('bob'), body: callTool('ok') })).json.error.code).toBe(4011)
        expect(notes.tokens().every((sent) => sent.startsWith('Bearer access-'))).toBe(true)
        await world.close()
      }
    }
  }, 60_000)

  test('away altogether: 503 for whom it is needed, and the rest goes on', async () => {
    const { store, state } = fragileStore()
    const stub = await startStub()
    const { world, url, notes } = await startConsentWorld({
      store,
      virtualAccounts: { ci: {} },
      more: { 'dev/open': { url: stub.url, auth: { type: 'none' } } },
      access: [EVERYTHING, { to: 'virtual-account:ci', on: '*' }],
    })
    const { key } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'x' })
    const token = await world.jwt('alice')
    state.down = true
    const body = callTool('ok')
    for (const request of [
      { body },
      { method: 'GET' },
      { body: [body] },
      modern('tools/list'),
      modern('server/discover'),
    ]) {
      const answer = await rpc(url, { token, ...request })
      expect([answer.status, answer.headers.has('retry-after')]).toEqual([503, true])
      expect((await rpc(url, { token: key, ...request })).status).toBe(503)
    }
    expect((await rpc(world.endpoint('dev/open'), { token, body })).status).toBe(200)
    expect((await rpc(world.endpoint('dev/open'), { token: undefined, body })).status).toBe(401)
    expect(notes.requests).toEqual([])
    state.down = false
    expect((await rpc(world.endpoint('dev/open'), { token: key, body })).status).toBe(200)
  })
})

describe('the authorization server', () => {
  test('away at the refresh: 503 and not consent; when it is back the same connection works', async () => {
    const { url, provider, connect, notes } = await startConsentWorld()
    const token = await connect('alice')
    expect((await rpc(url, { token, body: callTool('ok') })).json.result).toBeDefined()
    provider.endAccessTokens()
    provider.mode = 'fail'
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, id) => rpc(url, { token, body: callTool('ok', {}, id) })),
    )
    for (const [id, answer] of answers.entries()) {
      expect([answer.status, answer.json.id, answer.headers.has('retry-after')]).toEqual([503, id, true])
      expect(answer.text).not.toContain('connect')
    }
    expect(notes.requests.filter(({ body }) => body.includes('tools/call')).length).toBeGreaterThan(0)
    provider.mode = 'ok'
    await expect
      .poll(async () => (await rpc(url, { token, body: callTool('ok') })).json.result, { interval: 200 })
      .toBeDefined()
  })

  test('away, refusing or out of order in a consent: nothing is connected, and a link works later', async () => {
    const { world, url, provider, link, browserOf } = await startConsentWorld()
    const token = await world.jwt('alice')
    const alice = browserOf('alice')
    const made = await link(token)
    const page = await alice.load(made)
    provider.mode = 'fail'
    expect((await alice.submit(page, {})).status).toBeGreaterThanOrEqual(400)
    provider.mode = 'deny'
    const denied = await alice.submit(await alice.load(await link(token)), {})
    expect(denied.status).toBe(403)
    expect((await rpc(url, { token, body: ask('ping') })).json.error.code).toBe(4011)
    provider.mode = 'ok'
    expect((await alice.submit(await alice.load(await link(token)), {})).status).toBe(200)
    expect((await rpc(url, { token, body: ask('ping') })).json.result).toBeDefined()
  })
})

describe('the identity provider', () => {
  test('away in any way: 503 for JWTs that nobody has seen, keys go on, and made-up tokens do not pass', async () => {
    const stub = await startStub()
    for (const mode of ['fail', 'garbage', 'refuse'] as const) {
      const world = await startWorld({
        servers: { 'dev/one': { url: stub.url, auth: { type: 'none' } } },
        virtualAccounts: { ci: {} },
        access: [EVERYTHING, { to: 'virtual-account:ci', on: '*' }],
      })
      world.provider.mode = mode
      const url = world.endpoint('dev/one')
      const { key } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'x' })
      const before = stub.requests.length
      const answer = await rpc(url, { token: await world.jwt('alice'), body: callTool('ok') })
      expect([mode, answer.status, answer.headers.has('retry-after')]).toEqual([mode, 503, true])
      const forged = `${(await world.jwt('alice')).split('.').slice(0, 2).join('.')}.AAAA`
      expect((await rpc(url, { token: forged, body: callTool('ok') })).status).toBeGreaterThanOrEqual(401)
      expect(stub.requests.length).toBe(before)
      expect((await rpc(url, { token: key, body: callTool('ok') })).status).toBe(200)
    }
  })
})

test('a function of the user’s own that answers with something else for lists is down, and no list is empty by it', async () => {
  const stub = await startStub()
  const { url, token } = await startVirtual(
    { 'dev/one': open(stub.url, { era: 'legacy' }) },
    { tools: { 'dev/one': '*' } },
    { decide: ({ listing }) => (listing ? ('yes' as unknown as boolean) : true) },
  )
  const headers = await openSession(url, token)
  expect((await rpc(url, { token, headers, body: ask('tools/list') })).status).toBe(503)
})

test('a function of the user’s own that never answers as it should lets nobody by', async () => {
  const stub = await startStub()
  for (const decide of [
    async () => Promise.reject(new Error('down')),
    () => {
      throw new Error('down')
    },
    () => 'yes' as unknown as boolean,
    () => 1 as unknown as boolean,
    () => undefined as unknown as boolean,
    () => ({ allowed: true }) as unknown as boolean,
  ]) {
    const world = await startWorld({
      servers: { 'dev/one': { url: stub.url, auth: { type: 'none' } } },
      access: [EVERYTHING],
      decide,
    })
    for (const request of [{ body: callTool('ok') }, { body: ask('tools/list') }, { method: 'GET' }]) {
      expect((await rpc(world.endpoint('dev/one'), { token: await world.jwt('alice'), ...request })).status).toBe(503)
    }
  }
  expect(stub.requests).toEqual([])
})
