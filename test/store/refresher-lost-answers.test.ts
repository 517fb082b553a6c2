/** A store that does what it is asked and cannot say so (G13): connections that are made and ended all the same. */
import { describe, expect, it } from 'vitest'
import { StoreError } from '../../src/core/errors.ts'
import { breakable, key, setUp } from './refresher-setup.ts'

const down = async () => Promise.reject(new StoreError('the store is down'))

/** A refresher whose store writes and loses its answer, while `broken`. */
function setUpLossy({ reads = true, writes = true } = {}) {
  const bench = setUp()
  const shaky = breakable(bench.store, {
    async put(...call) {
      if (writes) await bench.store.put(...call)
      return down()
    },
    ...(!reads && {
      // Before the write it is all right.
      async get(...call) {
        const found = await bench.store.get(...call)
        if (await isOver()) throw new StoreError('the store is down')
        return found
      },
    }),
  })
  let begun: string | undefined
  const isOver = async () => {
    const version = (await bench.store.get(key))?.version
    begun ??= version
    return begun !== version
  }
  return { bench, shaky, refresher: bench.refresher({ store: shaky.store, times: { cacheMs: 60_000 } }) }
}

describe('G13 the answer to a write is lost', () => {
  it('a connection that is ended is ended: its tokens are revoked, and nobody gets them any more', async () => {
    const { bench, shaky, refresher } = setUpLossy()
    const tokens = bench.server.issue()
    await refresher.connect(key, tokens)
    expect(await refresher.tokens(key)).toMatchObject({ tokens })
    shaky.broken = true
    expect(await refresher.disconnect(key)).toBe(true)
    expect(bench.revoked).toEqual([tokens])
    expect(refresher.known(key)).toBeUndefined()
    expect(await refresher.tokens(key)).toEqual({ kind: 'revoked' })
    expect(await refresher.disconnect(key)).toBe(false)
  })

  it('a connection that is made is made', async () => {
    const { bench, shaky, refresher } = setUpLossy()
    await refresher.connect(key, bench.server.issue())
    const tokens = bench.server.issue()
    shaky.broken = true
    await refresher.connect(key, tokens)
    expect(await refresher.tokens(key)).toMatchObject({ tokens })
  })

  it('what was not written is a failure, and everything is as it was', async () => {
    const { bench, shaky, refresher } = setUpLossy({ writes: false })
    const tokens = bench.server.issue()
    await refresher.connect(key, tokens)
    shaky.broken = true
    await expect(refresher.disconnect(key)).rejects.toThrow('the store is down')
    await expect(refresher.connect(key, bench.server.issue())).rejects.toThrow('the store is down')
    expect(bench.revoked).toEqual([])
    expect(await refresher.tokens(key)).toMatchObject({ tokens })
    shaky.broken = false
    expect(await refresher.disconnect(key)).toBe(true)
    expect(bench.revoked).toEqual([tokens])
  })

  it('where nobody can say, the tokens are revoked and the failure is told', async () => {
    const { bench, shaky, refresher } = setUpLossy({ reads: false })
    const tokens = bench.server.issue()
    await refresher.connect(key, tokens)
    expect(await refresher.tokens(key)).toMatchObject({ tokens })
    shaky.broken = true
    await expect(refresher.disconnect(key)).rejects.toThrow(StoreError)
    expect(bench.revoked).toEqual([tokens])
    expect(refresher.known(key)).toBeUndefined()
    shaky.broken = false
    expect(await refresher.tokens(key)).toEqual({ kind: 'revoked' })
    expect(await refresher.disconnect(key)).toBe(false)
  })
})
