import { afterEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { createPeople, type Person } from '../../src/identity/people.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { createTestClock } from '../support/keys.ts'
import { twoHandles } from './setup.ts'

const alice: Person = {
  id: 'a',
  subject: 'alice',
  integration: 'corp',
  issuer: 'https://login.example.com/',
  groups: ['staff'],
  seenAt: 1_000,
}

describe('G1 records of people', () => {
  it('what is written is read, and nobody else', async () => {
    const people = createPeople(memoryStore(), systemClock)
    await people.write(alice)
    expect(await people.read('a')).toEqual(alice)
    expect(await people.read('b')).toBeUndefined()
  })

  it('the later sign-in counts, in whatever order they arrive', async () => {
    const people = createPeople(memoryStore(), systemClock)
    await people.write({ ...alice, seenAt: 3_000, groups: ['staff', 'admin'] })
    await people.write({ ...alice, seenAt: 2_000, groups: [] })
    expect((await people.read('a'))?.groups).toEqual(['staff', 'admin'])
    await people.write({ ...alice, seenAt: 4_000, groups: [] })
    expect((await people.read('a'))?.groups).toEqual([])
  })

  it('one of a machine whose clock is ahead hides none that follow', async () => {
    const clock = createTestClock()
    const people = createPeople(memoryStore(), clock)
    await people.write({ ...alice, seenAt: clock.now() + 3_600_000, groups: ['admin'] })
    await people.write({ ...alice, seenAt: clock.now(), groups: [] })
    expect(await people.read('a')).toMatchObject({ seenAt: clock.now(), groups: [] })
    // Another one's clock may be a little behind: what it brings is no later for it.
    await people.write({ ...alice, seenAt: clock.now() - 1, groups: ['before'] })
    expect((await people.read('a'))?.groups).toEqual([])
  })

  it('a refresh is no later than what another integration has written since that session began', async () => {
    const clock = createTestClock(10_000)
    const people = createPeople(memoryStore(), clock)
    await people.write({ ...alice, seenAt: 2_000 }, 2_000)
    const other = { ...alice, integration: 'other', groups: ['elsewhere'] }
    await people.write({ ...other, seenAt: 3_000 }, 1_000)
    expect(await people.read('a')).toMatchObject({ integration: 'corp', groups: ['staff'] })
    await people.write({ ...alice, groups: [], seenAt: 3_000 }, 1_000)
    expect((await people.read('a'))?.groups).toEqual([])
    await people.write({ ...other, seenAt: 4_000 }, 4_000)
    await people.write({ ...alice, seenAt: 5_000 }, 2_000)
    expect((await people.read('a'))?.integration).toBe('other')
    // One of a machine whose clock was ahead is in nobody's way.
    await people.write({ ...alice, seenAt: 20_000 }, 20_000)
    await people.write({ ...other, seenAt: 6_000 }, 4_000)
    expect((await people.read('a'))?.integration).toBe('other')
  })

  it('many at once lose none but the earlier ones', async () => {
    const people = createPeople(memoryStore(), systemClock)
    await Promise.all(Array.from({ length: 10 }, (_, index) => people.write({ ...alice, seenAt: index })))
    expect((await people.read('a'))?.seenAt).toBe(9)
  })
})

describe('G1 records of people that are remembered', () => {
  afterEach(() => void vi.useRealTimers())

  it('are read anew after their time, and at once after a sign-in here', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const store = memoryStore()
    const people = createPeople(store, systemClock, 5_000)
    await people.write(alice)
    expect(await people.read('a')).toBe(await people.read('a'))
    await createPeople(store, systemClock).write({ ...alice, seenAt: 2_000, groups: ['elsewhere'] })
    vi.advanceTimersByTime(4_999)
    expect((await people.read('a'))?.groups).toEqual(['staff'])
    vi.advanceTimersByTime(1)
    expect((await people.read('a'))?.groups).toEqual(['elsewhere'])
    await people.write({ ...alice, seenAt: 3_000, groups: ['here'] })
    expect((await people.read('a'))?.groups).toEqual(['here'])
  })

  it('are read anew when the store tells that they have changed, as long as somebody listens', async () => {
    const [one, other] = twoHandles()
    const here = createPeople(one, systemClock)
    const there = createPeople(other, systemClock, 5_000)
    await here.write(alice)
    expect((await there.read('a'))?.groups).toEqual(['staff'])
    await here.write({ ...alice, seenAt: 2_000, groups: ['admin'] })
    expect((await there.read('a'))?.groups).toEqual(['admin'])
    there.close()
    await here.write({ ...alice, seenAt: 3_000, groups: [] })
    expect((await there.read('a'))?.groups).toEqual(['admin'])
  })
})
