/** G13: when a connection was last used is known to the hour, for one write an hour at most. */
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { afterEach, expect, it, vi } from 'vitest'
import { generateKey } from '../../src/core/sealing.ts'
import { sealed } from '../../src/store/sealed.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { connect, openWith, person, SERVER } from './setup.ts'

const HOUR_MS = 3_600_000
const { id } = person('alice')

afterEach(() => {
  vi.useRealTimers()
})

/** A bureau with alice's connection, and how often its use was written. */
async function open(fail = false) {
  const keys = [generateKey()]
  const inner = memoryStore()
  const seen = { writes: 0 }
  const store: TokenStore = {
    ...inner,
    put(key, value, options) {
      if (key.space === 'connections-last-use') {
        seen.writes++
        if (fail) return Promise.reject(new Error('full'))
      }
      return inner.put(key, value, options)
    },
  }
  const bureau = await openWith('standard', { keys, store: sealed(store, keys) })
  expect((await connect(bureau)).status).toBe(200)
  return { ...bureau, seen }
}

const lastUse = async ({ broker }: Awaited<ReturnType<typeof open>>) => (await broker.list(id))[0]?.lastUsedAt

/** Unlike `expect.poll`, this does not move the clock on. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await turnOfLoop()
}

it('is written by the first of many uses within an hour, and by the next one after it', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const bureau = await open()
  expect(await lastUse(bureau)).toBeUndefined()
  const first = bureau.clock.now()
  for (let count = 0; count < 20; count++) expect((await bureau.broker.tokens(id, SERVER)).kind).toBe('tokens')
  await until(async () => (await lastUse(bureau)) === first)
  expect(bureau.seen.writes).toBe(1)
  vi.advanceTimersByTime(HOUR_MS - 1)
  await bureau.broker.tokens(id, SERVER)
  for (let turn = 0; turn < 20; turn++) await turnOfLoop()
  expect(bureau.seen.writes).toBe(1)
  vi.advanceTimersByTime(1)
  bureau.clock.advance(1)
  await bureau.broker.tokens(id, SERVER)
  await until(async () => (await lastUse(bureau)) === first + 1_000)
  expect(bureau.seen.writes).toBe(2)
})

it('is of each owner and server by itself, and goes with the connection', async () => {
  const bureau = await open()
  await connect(bureau, 'bob')
  await bureau.broker.tokens(id, SERVER)
  await expect.poll(() => lastUse(bureau)).toBeDefined()
  expect((await bureau.broker.list(person('bob').id))[0]?.lastUsedAt).toBeUndefined()
  const { connections } = await bureau.broker.all()
  expect(connections.find(({ owner }) => owner === id)?.lastUsedAt).toBeDefined()
  await bureau.broker.disconnect(id, SERVER)
  await connect(bureau)
  expect(await lastUse(bureau)).toBeUndefined()
  await bureau.broker.tokens(id, SERVER)
  await expect.poll(() => lastUse(bureau)).toBeDefined()
})

it('is given up where it cannot be written; the call goes on', async () => {
  const bureau = await open(true)
  expect((await bureau.broker.tokens(id, SERVER)).kind).toBe('tokens')
  await expect.poll(() => bureau.seen.writes).toBe(1)
  expect(await lastUse(bureau)).toBeUndefined()
})
