import { describe, expect, it } from 'vitest'
import { createWorkLimiter } from '../../src/basic/work-limiter.ts'

/** Work that ends when told to. */
function manualWork() {
  const started: { end: () => void; fail: (error: Error) => void }[] = []
  const work = () => new Promise<number>((resolve, reject) => started.push({ end: () => resolve(1), fail: reject }))
  return { started, work }
}

describe('A5 a limit on costly work', () => {
  it('starts as many as allowed, then lets wait as many as allowed, then is busy', async () => {
    const limiter = createWorkLimiter({ maxConcurrent: 2, maxQueued: 1 })
    const { started, work } = manualWork()
    const [one, two, three, four] = [limiter.run(work), limiter.run(work), limiter.run(work), limiter.run(work)]
    expect(started).toHaveLength(2)
    expect(four).toBe('busy')
    started[0]?.end()
    expect(await one).toBe(1)
    expect(started).toHaveLength(3)
    started[1]?.end()
    started[2]?.end()
    expect(await Promise.all([two, three])).toEqual([1, 1])
    expect(started).toHaveLength(3)
  })

  it('goes on after work that fails, at once or later', async () => {
    const limiter = createWorkLimiter({ maxConcurrent: 1, maxQueued: 10 })
    const { started, work } = manualWork()
    const failing = limiter.run(work)
    const throwing = limiter.run(() => {
      throw new Error('at once')
    })
    const last = limiter.run(work)
    started[0]?.fail(new Error('later'))
    await expect(failing).rejects.toThrow('later')
    await expect(throwing).rejects.toThrow('at once')
    started[1]?.end()
    expect(await last).toBe(1)
  })

  it('leaves out what waits and is not wanted any more once there is room', async () => {
    const limiter = createWorkLimiter({ maxConcurrent: 1, maxQueued: 10 })
    const { started, work } = manualWork()
    let wanted = true
    const first = limiter.run(work, () => false)
    const gone = [limiter.run(work, () => wanted), limiter.run(work, () => wanted)]
    const last = limiter.run(work)
    wanted = false
    started[0]?.end()
    // What has begun is finished, whoever wants it.
    expect(await first).toBe(1)
    expect(await Promise.all(gone)).toEqual(['busy', 'busy'])
    expect(started).toHaveLength(2)
    started[1]?.end()
    expect(await last).toBe(1)
  })

  it('is not full of what nobody wants any more', async () => {
    const limiter = createWorkLimiter({ maxConcurrent: 1, maxQueued: 2 })
    const { started, work } = manualWork()
    let wanted = true
    void limiter.run(work)
    const waiting = [limiter.run(work, () => wanted), limiter.run(work)]
    expect(limiter.run(work)).toBe('busy')
    wanted = false
    const last = limiter.run(work)
    expect(last).not.toBe('busy')
    expect(await waiting[0]).toBe('busy')
    started[0]?.end()
    await expect.poll(() => started.length).toBe(2)
    started[1]?.end()
    expect(await waiting[1]).toBe(1)
    started[2]?.end()
    expect(await last).toBe(1)
  })

  it('with no room to wait is busy at once', () => {
    const limiter = createWorkLimiter({ maxConcurrent: 1, maxQueued: 0 })
    const { work } = manualWork()
    void limiter.run(work)
    expect(limiter.run(work)).toBe('busy')
  })
})
