/**
 * The people whom personal tokens stand for, with the groups that they have now: by a function of the user's own, else as
 * they were when the person last signed in, if that is not too long ago.
 */
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { deepFreeze } from '../core/freeze.ts'
import type { Integration } from './integration.ts'
import { letsIn } from './integrations.ts'
import { type People, type Person, personAgeSeconds } from './people.ts'
import { createReadCache } from './read-cache.ts'
import type { Identity } from './sign-in.ts'

/** What a directory knows of a person. */
export interface DirectoryEntry {
  /** The name of the integration that groups and subject are of. */
  readonly integration: string
  /** What the integration calls them. */
  readonly subject: string
  /** Those that they are in now. */
  readonly groups: readonly string[]
  /** Only where somebody has verified it. */
  readonly email?: string
}

/**
 * Looks a person up whose personal token is used; `undefined` or `null` for somebody who must not come in any more. Asked at most every
 * few seconds for each person; while it fails, and after 5 seconds, their tokens are answered with 503.
 *
 * @param id - the person's identity
 * @param known - what was written when they last signed in, were identified or got a key, however long ago that is
 */
export type Directory = (
  id: string,
  known: Person | undefined,
) => DirectoryEntry | null | undefined | Promise<DirectoryEntry | null | undefined>

/** What became of looking a person up. */
export type FoundOwner =
  | { readonly kind: 'found'; readonly identity: Identity }
  | { readonly kind: 'unknown' | 'stale'; readonly detail: string }
  | {
      readonly kind: 'unavailable'
      readonly reason: 'store_unavailable' | 'directory_unavailable'
      readonly detail: string
    }

/** What looking people up needs. */
export interface TokenOwnerSettings {
  readonly people: Pick<People, 'read'>
  readonly clock: Clock
  /** The integrations as they are configured. */
  readonly configured: Readonly<Record<string, Integration>>
  /** The longest time since the last sign-in, in seconds; 30 days by default. Not asked about with a directory. */
  readonly maxPersonAgeSeconds?: number
  readonly directory?: Directory
  /** How long the directory's answer is believed; 5,000 by default. */
  readonly cacheMs?: number
}

const MAX_AGE_SECONDS = 30 * 24 * 3600
const DIRECTORY_MS = 5_000

/** Looks up people by the id of their identity. Does not reject. */
export function createTokenOwners(settings: TokenOwnerSettings): (id: string) => Promise<FoundOwner> {
  const { people, clock, configured, maxPersonAgeSeconds = MAX_AGE_SECONDS, directory, cacheMs = 5_000 } = settings
  const identities = new WeakMap<object, Identity>()
  const entries = createReadCache(async (id) => {
    const found = await withinTime(directory?.(id, await people.read(id)))
    return found ? readEntry(found) : undefined
  }, cacheMs)

  /** The same object for the same record. */
  function identityOf(id: string, entry: DirectoryEntry): Identity {
    const known = identities.get(entry)
    if (known !== undefined) return known
    const { integration, subject, groups, email } = entry
    const made: Identity = { id, integration, subject, groups, claims: {}, ...(email === undefined ? {} : { email }) }
    identities.set(entry, deepFreeze(made))
    return made
  }

  async function fromDirectory(id: string): Promise<FoundOwner> {
    const entry = await entries.read(id)
    if (entry === undefined) return { kind: 'unknown', detail: 'the directory does not know the person' }
    if (!Object.hasOwn(configured, entry.integration)) return { kind: 'unknown', detail: gone(entry.integration) }
    return { kind: 'found', identity: identityOf(id, entry) }
  }

  async function fromRecord(id: string): Promise<FoundOwner> {
    const person = await people.read(id)
    if (person === undefined) return { kind: 'unknown', detail: 'nothing is known of the person: no sign-in' }
    const { integration, issuer } = person
    const own = Object.hasOwn(configured, integration) ? configured[integration] : undefined
    // An integration of this name that is another provider now says nothing about the groups of the old one, and a tenant
    // that has been taken out of it says nothing either.
    if (own === undefined || !letsIn(own, issuer)) {
      return { kind: 'unknown', detail: gone(integration) }
    }
    const ageSeconds = personAgeSeconds(person, clock)
    if (ageSeconds > maxPersonAgeSeconds) {
      const way = person.seenAt > clock.now() ? 'ahead' : 'ago'
      const detail = `the last sign-in was ${Math.floor(ageSeconds)} s ${way}, at most ${maxPersonAgeSeconds} s are allowed`
      return { kind: 'stale', detail }
    }
    return { kind: 'found', identity: identityOf(id, person) }
  }

  return async (id) => {
    try {
      return await (directory === undefined ? fromRecord(id) : fromDirectory(id))
    } catch (error) {
      const reason = directory === undefined ? 'store_unavailable' : 'directory_unavailable'
      return { kind: 'unavailable', reason, detail: messageOf(error) }
    }
  }
}

function gone(integration: string): string {
  return `the integration "${integration}", or the one or the tenant of that name at the last sign-in, is no longer configured`
}

async function withinTime<Value>(work: Value | Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the directory did not answer within ${DIRECTORY_MS} ms`)), DIRECTORY_MS)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** A copy: the entry is shared by requests, and the function may keep its own. */
function readEntry({ integration, subject, groups, email }: DirectoryEntry): DirectoryEntry {
  const texts: unknown[] = [integration, subject, ...(Array.isArray(groups) ? groups : [undefined])]
  if (
    texts.some((each) => typeof each !== 'string') ||
    subject === '' ||
    !['string', 'undefined'].includes(typeof email)
  ) {
    throw new TypeError('the directory answered with something else than { integration, subject, groups, email? }')
  }
  return { integration, subject, groups: [...groups], ...(email === undefined ? {} : { email }) }
}
