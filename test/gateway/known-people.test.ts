/** Records of people who come with a JWT, or are named by the host application. */
import { expect, test } from 'vitest'
import { createKnownPeople } from '../../src/gateway/known-people.ts'
import { createPeople, PEOPLE } from '../../src/identity/people.ts'
import { generateKey } from '../../src/index.ts'
import { sealed } from '../../src/store/sealed.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { createTestClock } from '../support/keys.ts'

test('a record that does not open is written anew, and keeps nobody out', async () => {
  const clock = createTestClock()
  const inner = memoryStore()
  const people = createPeople(sealed(inner, [generateKey()]), clock)
  const remember = createKnownPeople(
    people,
    { corp: { issuer: 'https://login.example.com', audience: 'x' } },
    clock,
    60,
  )
  const alice = { id: 'a', integration: 'corp', subject: 'alice', groups: ['staff'], claims: {} }
  await remember(alice)
  const [record] = (await inner.scan(PEOPLE)).records
  await inner.put({ space: PEOPLE, owner: 'a', id: 'person' }, Buffer.from('spoilt'), {
    ifVersion: record?.version ?? null,
  })
  await expect(people.read('a')).rejects.toMatchObject({ code: 'ERR_SEAL' })
  await remember(alice)
  expect(await people.read('a')).toMatchObject({ subject: 'alice', groups: ['staff'] })
})
