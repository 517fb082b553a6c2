/** Records of people, written when they sign in: what their personal tokens may do later depends on the groups in it. */
import type { Clock } from '../core/clock.ts'
import { deepFreeze } from '../core/freeze.ts'
import type { TokenStore } from '../store/token-store.ts'
import { readReplaceable } from '../store/unopened.ts'
import { createReadCache, forgetOnChange } from './read-cache.ts'
import type { Identity } from './sign-in.ts'

/** What is remembered of a person. */
export interface Person extends Omit<Identity, 'claims'> {
  /** With the tenant of theirs in it, where an integration has several. */
  readonly issuer: string
  /** When the provider last said it, with a sign-in or a refresh, in epoch milliseconds. */
  readonly seenAt: number
}

/** Records of people. */
export interface People {
  /**
   * Keeps what is later: `person`, or what is there.
   *
   * @param signedInAt - when the session began that it is of: by a refresh, it is not later than another integration's since
   */
  write(person: Person, signedInAt?: number): Promise<void>
  /** The record of `id`, or `undefined` for somebody who has not signed in. */
  read(id: string): Promise<Person | undefined>
  /** No longer listens to the store. */
  close(): void
}

/** Where they are kept. */
export const PEOPLE = 'people'
const MAX_TRIES = 20

/**
 * Records of people in `store`.
 *
 * @param cacheMs - how long a record that was read is believed, where the store does not tell of changes
 */
export function createPeople(store: TokenStore, clock: Clock, cacheMs = 0): People {
  const keyOf = (id: string) => ({ space: PEOPLE, owner: id, id: 'person' })
  const cache = createReadCache(async (id) => {
    const found = await store.get(keyOf(id))
    const person = found && personIn(found.value)
    return person && deepFreeze(person)
  }, cacheMs)
  const unsubscribe = cacheMs > 0 ? forgetOnChange(store, PEOPLE, cache) : () => {}
  return {
    async write(person, signedInAt = person.seenAt) {
      const value = Buffer.from(JSON.stringify(person))
      try {
        for (let tries = 0; tries < MAX_TRIES; tries++) {
          // One that does not open is written over: whoever signs in would else be locked out for good.
          const before = await readReplaceable(store, keyOf(person.id), personIn)
          // Two sign-ins at once: the later one counts. One that is yet to come is of a machine whose clock was ahead.
          const { seenAt = 0, integration }: Partial<Person> = before?.value ?? {}
          const since = integration === person.integration ? person.seenAt : Math.min(signedInAt, person.seenAt)
          if (seenAt > since && seenAt <= clock.now()) return
          const written = await store.put(keyOf(person.id), value, { ifVersion: before?.version ?? null })
          if (written !== 'conflict') return
        }
      } finally {
        cache.forget(person.id)
      }
    },
    read: (id) => cache.read(id),
    close: unsubscribe,
  }
}

/**
 * How far a record's time is from now, in seconds. One that is yet to come is no better than one that is past: a clock that was
 * far ahead for a moment must not keep a record good for as long.
 */
export function personAgeSeconds({ seenAt }: Person, clock: Clock): number {
  return Math.abs(clock.now() - seenAt) / 1000
}

/** The person in a record; `undefined` for what is none, as if nothing were there. */
export function personIn(value: Uint8Array): Person | undefined {
  try {
    const found: unknown = JSON.parse(Buffer.from(value).toString('utf8'))
    return isPerson(found) ? found : undefined
  } catch {
    return undefined
  }
}

function isPerson(value: unknown): value is Person {
  if (typeof value !== 'object' || value === null) return false
  const { id, subject, integration, issuer, groups, seenAt, email = '' } = value as Partial<Person>
  const texts: unknown[] = [id, subject, integration, issuer, email, ...(Array.isArray(groups) ? groups : [undefined])]
  return texts.every((text) => typeof text === 'string') && Number.isFinite(seenAt)
}
