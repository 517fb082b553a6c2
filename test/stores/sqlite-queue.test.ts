/** Who asks SQLite whether others write, and how often. */
import { describe, expect, it } from 'vitest'
import { createSqliteQueue } from '../../src/stores/sqlite-queue.ts'

const busy = Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' })
const later = () => performance.now() + 60_000

/** A database that others write to until `free()`, and what has been tried on it. */
function lockable() {
  let locked = true
  const attempts: number[] = []
  const done: number[] = []
  return {
    attempts,
    done,
    free: () => {
      locked = false
    },
    write: (index: number) => () => {
      attempts.push(index)
      if (locked) throw busy
      done.push(index)
      return index
    },
  }
}

describe('the queue of writes of a SQLite store', () => {
  it('lets only the first ask while others write, and then all go in their order', async () => {
    const { attempts, done, free, write } = lockable()
    const queue = createSqliteQueue(() => new Error('late'))
    const all = Array.from({ length: 50 }, (_, index) => index)
    const writes = Promise.all(all.map((index) => queue.run(write(index), later())))
    await expect.poll(() => attempts.length).toBeGreaterThan(3)
    expect(new Set(attempts)).toEqual(new Set([0]))
    free()
    expect(await writes).toEqual(all)
    expect(done).toEqual(all)
    expect(attempts.slice(attempts.lastIndexOf(0))).toEqual(all)
  })

  it('counts the time of those who wait behind, and ends them without another attempt', async () => {
    const { attempts, done, free, write } = lockable()
    const queue = createSqliteQueue((cause) => new Error('late', { cause }))
    const writes = [later(), 0, 0, 0].map((until, index) => queue.run(write(index), until))
    const late = await Promise.allSettled(writes.slice(1))
    expect(late.map((one) => one.status === 'rejected' && one.reason)).toEqual(
      Array.from({ length: 3 }, () => expect.objectContaining({ message: 'late', cause: busy })),
    )
    free()
    expect(await writes[0]).toBe(0)
    expect(new Set(attempts)).toEqual(new Set([0]))
    expect(done).toEqual([0])
  })

  it('asks again after a pause only, also for those behind one whose time is over', async () => {
    const { attempts, done, free, write } = lockable()
    const queue = createSqliteQueue(() => new Error('late'))
    const first = queue.run(write(0), 0)
    const second = queue.run(write(1), later())
    await expect(first).rejects.toThrow('late')
    expect(attempts).toEqual([0])
    free()
    expect(await second).toBe(1)
    expect(done).toEqual([1])
  })

  it('tries also what is late already, as long as nobody else is in the way', async () => {
    const { free, write } = lockable()
    free()
    const queue = createSqliteQueue(() => new Error('late'))
    expect(await queue.run(write(0), 0)).toBe(0)
  })

  it('goes on after one that fails, and after it was empty', async () => {
    const { free, write } = lockable()
    free()
    const queue = createSqliteQueue(() => new Error('late'))
    const failing = queue.run(() => {
      throw new Error('disk full')
    }, later())
    const next = queue.run(write(1), later())
    await expect(failing).rejects.toThrow('disk full')
    expect(await next).toBe(1)
    expect(await queue.run(write(2), later())).toBe(2)
  })
})
