/**
 * Consent links: `/connect/<random>`, what an agent shows to its user (B2). A link says nothing about anybody, opens only
 * for the person whose agent asked for it, and is good once. A retrying agent gets the same one until it expires.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { StoreError } from '../../core/errors.ts'
import type { Key, TokenStore } from '../../store/token-store.ts'
import type { KeptConnectRequest } from '../broker.ts'

/** What a link is for. */
export interface ConsentLink extends KeptConnectRequest {
  /** Epoch milliseconds. */
  readonly createdAt: number
}

/** Consent links in a store. */
export interface ConsentLinks {
  /** The random part of the open link for this very request; a new one where there is none. */
  open(request: KeptConnectRequest): Promise<string>
  /** What a link is for; `undefined` for one that is used, expired, or was never made. Changes nothing. */
  look(random: string): Promise<ConsentLink | undefined>
  /** Uses a link up: of many who try, one gets it. */
  take(random: string): Promise<ConsentLink | undefined>
}

const LINKS = 'consent-links'
/** Which link an owner has open for what; the value is the random part. */
const OPEN_LINKS = 'open-consent-links'
const RANDOM = /^[\w-]{43}$/
/** A link that is about to expire is of no use to somebody who has yet to find the tab. */
const LEAST_LEFT_SHARE = 0.5
const MAX_TRIES = 20

/** Whether a text can be the random part of a link. */
export function isLinkRandom(text: string): boolean {
  return RANDOM.test(text)
}

/** Links that are good for `ttlMs`. `store` should seal: an open link's random part is in it. */
export function createConsentLinks(store: TokenStore, clock: Clock, ttlMs: number): ConsentLinks {
  const linkKey = (random: string): Key => ({ space: LINKS, owner: digest(random), id: 'link' })

  async function look(random: string): Promise<ConsentLink | undefined> {
    if (!isLinkRandom(random)) return undefined
    const found = await store.get(linkKey(random))
    return found && parse(found.value)
  }

  return {
    look,
    async open(request) {
      const { server, owner, by, returnTo, ownerLabel, stepUp } = request
      const more = stepUp === undefined ? [] : [stepUp.scopes]
      const wanted = JSON.stringify([server, by?.id ?? null, returnTo ?? null, ownerLabel ?? null, ...more])
      const openKey: Key = { space: OPEN_LINKS, owner, id: digest(wanted) }
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const before = await store.get(openKey)
        if (before !== undefined) {
          const random = Buffer.from(before.value).toString('utf8')
          const link = await look(random)
          const left = link === undefined ? 0 : link.createdAt + ttlMs - clock.now()
          if (left > ttlMs * LEAST_LEFT_SHARE) return random
        }
        const random = randomBytes(32).toString('base64url')
        const link: ConsentLink = {
          server,
          owner,
          by: by && { id: by.id, integration: by.integration },
          ...(returnTo === undefined ? {} : { returnTo }),
          ...(ownerLabel === undefined ? {} : { ownerLabel }),
          ...(stepUp === undefined ? {} : { stepUp }),
          createdAt: clock.now(),
        }
        // The link first: an index that names none would only make another.
        await store.put(linkKey(random), Buffer.from(JSON.stringify(link)), { ifVersion: null, ttlMs })
        const written = await store.put(openKey, Buffer.from(random), { ifVersion: before?.version ?? null, ttlMs })
        if (written !== 'conflict') return random
        // Somebody else was faster; theirs is the one.
        await store.delete(linkKey(random))
      }
      throw new StoreError('the open consent link of a caller keeps changing')
    },
    async take(random) {
      if (!isLinkRandom(random)) return undefined
      const found = await store.take(linkKey(random))
      return found && parse(found.value)
    },
  }
}

function digest(text: string): string {
  return createHash('sha256').update(`consent link ${text}`).digest('base64url')
}

function parse(value: Uint8Array): ConsentLink {
  return JSON.parse(Buffer.from(value).toString('utf8'))
}
