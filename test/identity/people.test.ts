import { describe, expect, it } from 'vitest'
import { createPeople, type Person } from '../../src/identity/people.ts'
import { memoryStore } from '../../src/stores/memory.ts'

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
    const people = createPeople(memoryStore())
    await people.write(alice)
    expect(await people.read('a')).toEqual(alice)
    expect(await people.read('b')).toBeUndefined()
  })

  it('the later sign-in counts, in whatever order they arrive', async () => {
    const people = createPeople(memoryStore())
    await people.write({ ...alice, seenAt: 3_000, groups: ['staff', 'admin'] })
    await people.write({ ...alice, seenAt: 2_000, groups: [] })
    expect((await people.read('a'))?.groups).toEqual(['staff', 'admin'])
    await people.write({ ...alice, seenAt: 4_000, groups: [] })
    expect((await people.read('a'))?.groups).toEqual([])
  })

  it('many at once lose none but the earlier ones', async () => {
    const people = createPeople(memoryStore())
    await Promise.all(Array.from({ length: 10 }, (_, index) => people.write({ ...alice, seenAt: index })))
    expect((await people.read('a'))?.seenAt).toBe(9)
  })
})
