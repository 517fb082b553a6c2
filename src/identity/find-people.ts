/** Finds people by what others call them: for an administrator who has a question about somebody. */
import { everyRecord } from '../store/every-record.ts'
import type { PageRequest, TokenStore } from '../store/token-store.ts'
import { readable, unlessSealed } from '../store/unopened.ts'
import { PEOPLE, type People, type Person, personIn } from './people.ts'
import type { Identity } from './sign-in.ts'

/** No more people of one name are shown. */
const MOST = 20
/** A question must not take minutes, however many people there are. */
const MOST_LOOKED_AT = 100_000

/** What `identityId` makes. */
const ID = /^[\w-]{43}$/

/**
 * The one whose id is `text`, else those whose e-mail address or subject is `text`, as they were when they last signed in. Looks at every
 * record of a person where it is no id, so that it takes its time.
 */
export async function findPeople(
  store: Pick<TokenStore, 'scan'>,
  people: Pick<People, 'read'>,
  text: string,
): Promise<Identity[]> {
  const one = ID.test(text) ? await personWith(people, text) : undefined
  if (one !== undefined) return [one]
  const found: Identity[] = []
  const wanted = text.toLowerCase()
  let looked = 0
  // Somebody whose record does not open, or is none, cannot be found, and hides nobody else.
  const scan = (page: PageRequest) => readable(store.scan(PEOPLE, { ...page, limit: 1_000 }), () => {})
  for await (const { value } of everyRecord(scan)) {
    const person = personIn(value)
    const isMeant = person?.subject === text || person?.email?.toLowerCase() === wanted
    if (person !== undefined && isMeant) found.push(identityIn(person))
    looked++
    if (found.length === MOST || looked === MOST_LOOKED_AT) break
  }
  return found
}

/** The one whose id it is, as they were when they last signed in. */
export async function personWith(people: Pick<People, 'read'>, id: string): Promise<Identity | undefined> {
  const person = await people.read(id).catch(unlessSealed)
  return person && identityIn(person)
}

function identityIn({ issuer: _, seenAt: _seenAt, ...known }: Person): Identity {
  return { ...known, claims: {} }
}
