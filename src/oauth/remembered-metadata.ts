/** What an authorization server says about itself, remembered: it is asked for with every operation and seldom changes. */
import type { ServerMetadata } from './metadata.ts'

/** Metadata is looked at again after so long, since endpoints move. */
const METADATA_MS = 60 * 60_000
const METADATA_RETRY_MS = 60_000

/**
 * Asks `find` once, and again in the background when that is an hour ago. What was good then will do meanwhile, and for as
 * long as there is nothing newer to be had. A failure of the first time is not remembered.
 */
export function rememberMetadata<Metadata = ServerMetadata>(find: () => Promise<Metadata>): () => Promise<Metadata> {
  let known: { readonly at: number; readonly metadata: Promise<Metadata> } | undefined
  return () => {
    const before = known
    if (before === undefined) {
      const looking = find().catch((error: unknown) => {
        known = undefined
        throw error
      })
      known = { at: performance.now(), metadata: looking }
      return looking
    }
    if (performance.now() - before.at > METADATA_MS) {
      known = { ...before, at: performance.now() - METADATA_MS + METADATA_RETRY_MS }
      find().then(
        (found) => {
          known = { at: performance.now(), metadata: Promise.resolve(found) }
        },
        () => {},
      )
    }
    return before.metadata
  }
}
