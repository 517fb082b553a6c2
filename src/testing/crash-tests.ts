/**
 * Crashes: a refresh is cut off at every one of its steps. Afterwards somebody else
 * always gets tokens, or learns that the person must consent again; the latter only
 * where the refresh token had been redeemed and the new one not been written.
 */
import assert from 'node:assert/strict'
import { decodeRecord } from '../store/connection-record.ts'
import type { RefreshTimes } from '../store/refresh-settings.ts'
import type { FoundTokens, Refresher } from '../store/refresher.ts'
import type { Key, TokenStore } from '../store/token-store.ts'
import { hiccup, type Mortal, mortal, operatedStore, type When } from './failing-store.ts'
import { refresherOver } from './refresh-tests.ts'
import { type RotatingServer, rotatingServer, type TestTokens } from './rotating-server.ts'
import { at, eventually, handlesTest, type KitTest, newKey } from './test-kit.ts'

/** Leases end soon, since nobody releases those of the dead. */
const HASTY: Partial<RefreshTimes> = {
  leaseMs: 600,
  marginMs: 200,
  graceMs: 50,
  waitMs: 3_000,
  backoffMs: 5,
  maxBackoffMs: 50,
  cacheMs: 0,
}

/** How a refresh dies; what it does before, and how far it has come. */
interface Death {
  readonly name: string
  start(process: Mortal, store: TokenStore, server: RotatingServer): Refresher<TestTokens>
}

/** At the authorization server. */
const upstreamDeaths: readonly Death[] = [
  {
    name: 'before redeeming',
    start: (process, store, server) =>
      refresherOver(process.store(store, -1, 'before'), { ...server, redeem: () => process.die() }, HASTY),
  },
  {
    name: 'after redeeming',
    start: (process, store, server) =>
      refresherOver(
        process.store(store, -1, 'before'),
        {
          ...server,
          async redeem(tokens, signal) {
            await server.redeem(tokens, signal)
            return process.die()
          },
        },
        HASTY,
      ),
  },
]

/** In the store, at operation number `turn`. */
function storeDeath(turn: number, when: When): Death {
  return {
    name: `${when} operation ${turn}`,
    start: (process, store, server) => refresherOver(process.store(store, turn, when), server, HASTY),
  }
}

/** How many operations a refresh takes with nobody in the way. */
async function operationsOfRefresh(store: TokenStore): Promise<number> {
  let count = 0
  const counted = operatedStore(store, (turn, operation) => {
    count = turn + 1
    return operation()
  })
  const server = rotatingServer()
  const key = newKey()
  await refresherOver(store, server).connect(key, server.issue({ expiresInMs: 0 }))
  const refresher = refresherOver(counted, server)
  assert.equal((await refresher.tokens(key)).kind, 'tokens')
  await refresher.close()
  assert.ok(count >= 5, 'a refresh reads, takes a lease, writes twice, and releases')
  return count
}

/** What `refresher` has in the end: asked again and again, as long as it says that it cannot tell. */
function end(refresher: Refresher<TestTokens>, key: Key, what: string): Promise<FoundTokens<TestTokens>> {
  return eventually(what, async () => {
    const found = await refresher.tokens(key)
    return found.kind === 'unavailable' ? undefined : found
  })
}

async function survive(death: Death, dying: TokenStore, surviving: TokenStore): Promise<void> {
  const server = rotatingServer()
  const survivor = refresherOver(surviving, server, HASTY)
  const key = newKey()
  const old = server.issue({ expiresInMs: 0 })
  await survivor.connect(key, old)

  const process = mortal()
  // Never settles where the process dies before it has an answer.
  const finished = death.start(process, dying, server).tokens(key)
  await Promise.race([process.died, finished])

  const redeemed = server.redemptions(old) > 0
  const left = await surviving.get(key)
  assert.ok(left, `${death.name}: the record is there`)
  const { tokens } = decodeRecord<TestTokens>(left.value)
  const lost = redeemed && (tokens === undefined || !server.isGood(tokens))
  const found = await end(survivor, key, `${death.name}: a survivor is not stuck`)
  if (lost) {
    assert.equal(found.kind, 'reauth_required', death.name)
  } else {
    assert.ok(found.kind === 'tokens' && server.isGood(found.tokens), `${death.name}: good tokens, not ${found.kind}`)
    assert.equal(server.redemptions(old), 1, `${death.name}: redeemed once`)
    assert.equal(server.reuse(old), 0, `${death.name}: nothing is redeemed twice`)
  }
  await survivor.close()
  await eventually(`${death.name}: no lease stays longer than its time`, () => surviving.lease(key, 1_000))
}

async function recover(turn: number, when: When, shaken: TokenStore, other: TokenStore): Promise<void> {
  const name = `a hiccup ${when} operation ${turn}`
  const server = rotatingServer()
  const key = newKey()
  const old = server.issue({ expiresInMs: 0 })
  const calm = refresherOver(other, server, HASTY)
  await calm.connect(key, old)
  const refresher = refresherOver(hiccup(shaken, turn, when), server, HASTY)
  for (const found of await Promise.all([end(refresher, key, name), end(calm, key, name)])) {
    assert.ok(found.kind === 'tokens' && server.isGood(found.tokens), `${name}: good tokens, not ${found.kind}`)
  }
  await refresher.close()
  await calm.close()
  assert.equal(server.redemptions(old), 1, `${name}: redeemed once`)
  assert.equal(server.reuse(old), 0, `${name}: nothing is redeemed twice`)
}

const WHEN: readonly When[] = ['before', 'after']

export const crashTests: readonly KitTest[] = [
  handlesTest('a process that dies at any step of a refresh leaves nothing stuck', 2, async (handles, first) => {
    const turns = Array.from({ length: await operationsOfRefresh(first) }, (_, turn) => turn)
    const deaths = [...upstreamDeaths, ...turns.flatMap((turn) => WHEN.map((when) => storeDeath(turn, when)))]
    await Promise.all(deaths.map((death) => survive(death, first, at(handles, 1))))
  }),

  handlesTest('an operation that fails at any step of a refresh loses nothing', 2, async (handles, first) => {
    const turns = Array.from({ length: await operationsOfRefresh(first) }, (_, turn) => turn)
    await Promise.all(turns.flatMap((turn) => WHEN.map((when) => recover(turn, when, first, at(handles, 1)))))
  }),
]
