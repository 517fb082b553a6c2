/** The fenced refresh over the store: one redemption, whoever asks, and what was ended stays ended. */
import assert from 'node:assert/strict'
import type { RefreshEvent, RefreshTimes } from '../store/refresh-settings.ts'
import { createRefresher, type FoundTokens, type Refresher } from '../store/refresher.ts'
import type { Key, TokenStore } from '../store/token-store.ts'
import { type RotatingServer, rotatingServer, type TestTokens } from './rotating-server.ts'
import { at, eventually, handlesTest, type KitTest, newKey } from './test-kit.ts'

/** Leases so long that a slow machine cannot lose one; nobody dies here. */
const CALM: Partial<RefreshTimes> = { waitMs: 20_000, backoffMs: 5 }

/** A refresher over one handle, as one process has it. */
export function refresherOver(
  store: TokenStore,
  server: Pick<RotatingServer, 'redeem' | 'revoke'>,
  times: Partial<RefreshTimes> = CALM,
  report: (event: RefreshEvent) => void = () => {},
): Refresher<TestTokens> {
  return createRefresher<TestTokens>({
    store,
    times,
    redeem: server.redeem,
    revoke: server.revoke,
    expiresAt: (tokens) => tokens.expiresAt,
    canRefresh: () => true,
    report,
  })
}

/** Something that a test waits for. */
function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => {}
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { passed, open }
}

function goodTokens(found: FoundTokens<TestTokens>, server: RotatingServer): TestTokens {
  assert.ok(found.kind === 'tokens', `tokens, not ${found.kind}`)
  assert.ok(server.isGood(found.tokens), 'the last tokens of their family')
  return found.tokens
}

/** A refresh that stands still with its refresh token redeemed; `end` lets it finish. */
async function refreshInFlight(store: TokenStore, key: Key) {
  const redeemed = gate()
  const answer = gate()
  const server = rotatingServer({
    async onAnswer() {
      redeemed.open()
      await answer.passed
    },
  })
  const events: RefreshEvent[] = []
  const refresher = refresherOver(store, server, CALM, (event) => events.push(event))
  const old = server.issue({ expiresInMs: 0 })
  await refresher.connect(key, old)
  const asking = refresher.tokens(key)
  await redeemed.passed
  return {
    server,
    old,
    async end() {
      answer.open()
      const found = await asking
      await refresher.close()
      return { found, kinds: events.map(({ kind }) => kind) }
    },
  }
}

export const refreshTests: readonly KitTest[] = [
  handlesTest('100 that ask at once, through several handles, cause one redemption', 4, async (handles, first) => {
    const server = rotatingServer()
    const refreshers = handles.map((store) => refresherOver(store, server))
    const key = newKey()
    await at(refreshers, 0).connect(key, server.issue({ expiresInMs: 0 }))
    const found = await Promise.all(
      Array.from({ length: 100 }, (_, turn) => at(refreshers, turn % refreshers.length).tokens(key)),
    )
    for (const one of found) goodTokens(one, server)
    assert.equal(server.redemptions(), 1)
    assert.equal(server.reuse(), 0)
    await Promise.all(refreshers.map((refresher) => refresher.close()))
    assert.ok(await first.get(key))
  }),

  handlesTest('refreshes in a row, asked for everywhere: redemptions = refreshes, reuse = 0', 4, async (handles) => {
    const server = rotatingServer()
    const refreshers = handles.map((store) => refresherOver(store, server))
    const key = newKey()
    await at(refreshers, 0).connect(key, server.issue())
    const rounds = 8
    for (let round = 0; round < rounds; round++) {
      const before = await at(refreshers, round % refreshers.length).tokens(key)
      assert.ok(before.kind === 'tokens')
      const found = await Promise.all(
        Array.from({ length: 12 }, (_, turn) =>
          at(refreshers, turn % refreshers.length).tokens(key, { rejected: before.stamp }),
        ),
      )
      for (const one of found) goodTokens(one, server)
    }
    assert.equal(server.redemptions(), rounds)
    assert.equal(server.reuse(), 0)
    await Promise.all(refreshers.map((refresher) => refresher.close()))
  }),

  handlesTest('many connections refresh at once, each for itself', 2, async (handles) => {
    const server = rotatingServer()
    const refreshers = handles.map((store) => refresherOver(store, server))
    const owner = newKey().owner
    const connections = Array.from({ length: 20 }, (_, index) => ({
      key: newKey({ owner, id: `${index}` }),
      tokens: server.issue({ expiresInMs: 0 }),
    }))
    await Promise.all(connections.map(({ key, tokens }) => at(refreshers, 0).connect(key, tokens)))
    await Promise.all(
      refreshers.flatMap((refresher) =>
        connections.map(async ({ key, tokens }) => {
          goodTokens(await refresher.tokens(key), server)
          assert.equal(server.redemptions(tokens), 1)
        }),
      ),
    )
    assert.equal(server.reuse(), 0)
    await Promise.all(refreshers.map((refresher) => refresher.close()))
  }),

  handlesTest('a connection ended during a refresh stays ended, and the new tokens are revoked', 2, async ([a, b]) => {
    assert.ok(a !== undefined && b !== undefined)
    const key = newKey()
    const flight = await refreshInFlight(a, key)
    const other = refresherOver(b, { ...flight.server, revoke: async () => {} })
    assert.equal(await other.disconnect(key), true)
    const { found, kinds } = await flight.end()
    assert.equal(found.kind, 'revoked')
    assert.ok(kinds.includes('revoked_late'), `told as revoked_late, not ${kinds}`)
    await assert.rejects(flight.server.redeem(flight.old), 'the family is revoked at the authorization server')
    assert.deepEqual(await other.tokens(key), { kind: 'revoked' })
    await other.close()
  }),

  handlesTest('an account connected again during a refresh is not overwritten by it', 2, async ([a, b]) => {
    assert.ok(a !== undefined && b !== undefined)
    for (const disconnectFirst of [true, false]) {
      const key = newKey()
      const flight = await refreshInFlight(a, key)
      const other = refresherOver(b, { ...flight.server, revoke: async () => {} })
      const fresh = flight.server.issue()
      if (disconnectFirst) await other.disconnect(key)
      await other.connect(key, fresh)
      const { found, kinds } = await flight.end()
      assert.ok(found.kind === 'tokens')
      assert.deepEqual(found.tokens, fresh, 'whoever waited for the old refresh gets the new connection')
      assert.ok(kinds.includes('superseded'), `told as superseded, not ${kinds}`)
      assert.deepEqual(goodTokens(await other.tokens(key), flight.server), fresh)
      await other.close()
    }
  }),

  handlesTest('a record that was deleted during a refresh does not come back', 2, async ([a, b]) => {
    assert.ok(a !== undefined && b !== undefined)
    const key = newKey()
    const flight = await refreshInFlight(a, key)
    await eventually('deleting', async () => ((await b.delete(key)) ? true : undefined))
    const { found } = await flight.end()
    assert.equal(found.kind, 'none')
    assert.equal(await b.get(key), undefined)
    assert.ok(!(await redeems(flight.server, flight.old)), 'the family is revoked')
  }),
]

async function redeems(server: RotatingServer, tokens: TestTokens): Promise<boolean> {
  return server.redeem(tokens).then(
    () => true,
    () => false,
  )
}
