/**
 * Which era upstreams speak, as a probe has found out (2026-07-28, Versioning, Backward Compatibility). Kept by endpoint and
 * credential, since an upstream may serve its customers by different versions, and not for good.
 */
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.ts'
import { MODERN_REVISIONS, type ModernRevision } from './eras.ts'
import { McpCode } from './error-codes.ts'
import { isJsonObject, type JsonObject } from './messages.ts'
import type { ProbedEra, UpstreamPeer } from './upstream-peer.ts'

/** What is known. */
export interface UpstreamEras {
  of(peer: UpstreamPeer): ProbedEra | undefined
  set(peer: UpstreamPeer, era: ProbedEra): void
  /** It has turned out to be wrong. */
  forget(peer: UpstreamPeer): void
  /** For work that is done once for all who ask at the same moment. */
  keyOf(peer: UpstreamPeer): string
}

const MAX_KNOWN = 20_000
/** An upstream may be replaced by a newer one at any time. */
const BELIEVED_MS = 60 * 60 * 1000

/** Knows nothing at first. */
export function createUpstreamEras(clock: Clock): UpstreamEras {
  const known = new LRUCache<string, { readonly probed: ProbedEra; readonly until: number }>({ max: MAX_KNOWN })
  return {
    of(peer) {
      const entry = known.get(keyOf(peer))
      return entry !== undefined && clock.now() < entry.until ? entry.probed : undefined
    },
    set: (peer, probed) => void known.set(keyOf(peer), { probed, until: clock.now() + BELIEVED_MS }),
    forget: (peer) => void known.delete(keyOf(peer)),
    keyOf,
  }
}

function keyOf({ server, credential }: UpstreamPeer): string {
  const fields = Object.entries(credential).toSorted(([one], [other]) => (one < other ? -1 : 1))
  // A digest, so that no credential lies about in keys.
  return createHash('sha256')
    .update(JSON.stringify([server.url.href, fields]))
    .digest('base64url')
}

/** The modern revision to speak after an answer to a probe; `undefined` where the upstream speaks none that we do. */
export function revisionIn(value: JsonObject | undefined): ModernRevision | undefined {
  if (isJsonObject(value?.result)) {
    const { supportedVersions } = value.result
    if (!Array.isArray(supportedVersions)) return MODERN_REVISIONS[0]
    return MODERN_REVISIONS.find((revision) => supportedVersions.includes(revision))
  }
  const error = isJsonObject(value?.error) ? value.error : undefined
  if (error?.code !== McpCode.UNSUPPORTED_PROTOCOL_VERSION) return MODERN_REVISIONS[0]
  const supported = isJsonObject(error.data) ? error.data.supported : undefined
  return MODERN_REVISIONS.find((revision) => Array.isArray(supported) && supported.includes(revision))
}
