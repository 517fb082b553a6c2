/**
 * What providers have ended of late (back-channel sign-out). The word of it can come while the sign-in that it is
 * about is under way, and finds no session to end; whoever has begun one asks here afterwards.
 */
import type { TokenStore } from '../store/token-store.ts'
import { everyKey } from '../store/unopened.ts'

/** See the top of the file. `subject` says of whom or what it was, in any words; times are the provider's (`iat`). */
export interface Endings {
  note(subject: string, at: number): Promise<void>
  /** Whether one of `subjects` was ended when `since` had come already. */
  has(subjects: readonly string[], since: number): Promise<boolean>
}

/** The owner of a record is the subject, its id the time. */
const SPACE = 'login-ended'
/** Longer than from a provider's tokens to a session. */
const KEPT_MS = 10 * 60_000

/** Keeps them in `store`, before anything else is looked for there: then one of the two finds the other. */
export function createEndings(store: TokenStore): Endings {
  return {
    async note(subject, at) {
      // There already where the same word comes again.
      await store.put({ space: SPACE, owner: subject, id: String(at) }, Buffer.alloc(0), {
        ifVersion: null,
        ttlMs: KEPT_MS,
      })
    },
    async has(subjects, since) {
      for (const subject of subjects) {
        // One that does not open says it too: it is all in the key.
        for await (const { key } of everyKey((page) => store.list(SPACE, subject, page)))
          if (Number(key.id) >= since) return true
      }
      return false
    },
  }
}
