/**
 * Clients that authorization servers have registered for us (RFC 7591), by issuer: one for all servers, people and processes of a
 * gateway. No client is ever used at another issuer than the one that made it. A record that nobody can read is as if it were
 * not there: another client is registered in its place.
 */
import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { StoreError } from '../../core/errors.ts'
import type { RegisteredClient } from '../../oauth/register-client.ts'
import type { Key, TokenStore } from '../../store/token-store.ts'
import { objectIn, type Replaceable, readReplaceable, warnOnce } from '../../store/unopened.ts'

/** One, as it is stored. */
export interface Registration extends RegisteredClient {
  readonly issuer: string
  readonly redirectUris: readonly string[]
  /** Epoch milliseconds. */
  readonly registeredAt: number
}

/** See the top of the file. */
export interface Registrations {
  /** The registration at `issuer`, if it is good for `redirectUri`. */
  find(issuer: string, redirectUri: string): Promise<Registration | undefined>
  /** The same, made with `register` where there is none: of many who ask at once, here and in other processes, one does. */
  obtain(
    issuer: string,
    redirectUri: string,
    register: (redirectUris: readonly string[]) => Promise<RegisteredClient>,
  ): Promise<Registration>
  /** The issuer does not know this client any more. */
  forget(issuer: string, clientId: string): Promise<void>
}

const SPACE = 'oauth-clients'
/** Longer than a registration takes: two requests of ten seconds. */
const LEASE_MS = 30_000
const PATIENCE_MS = 40_000
/** A secret that ends while somebody consents is of no use. */
const LEAST_LEFT_MS = 15 * 60_000
/** Redirect URIs of servers with a path of their own; those that are long out of use go. */
const MAX_REDIRECT_URIS = 10

/** Registrations in a store, which must seal. `origin` is the gateway's. */
export function createRegistrations(store: TokenStore, origin: string, now: () => number): Registrations {
  const keyOf = (issuer: string): Key => ({
    space: SPACE,
    owner: createHash('sha256').update(issuer).digest('base64url'),
    id: 'client',
  })

  const lost = warnOnce('another OAuth client is registered with the next consent')

  function read(issuer: string): Promise<Replaceable<Registration> | undefined> {
    return readReplaceable(store, keyOf(issuer), decode, lost)
  }

  /** Whether one can be used, and goes on to be for a while. */
  function isGood(made: Registration, issuer: string, redirectUri: string, leftMs: number): boolean {
    const { secretExpiresAt } = made
    const lasts = secretExpiresAt === undefined || secretExpiresAt * 1000 - now() > leftMs
    return made.issuer === issuer && lasts && made.redirectUris.includes(redirectUri)
  }

  return {
    async find(issuer, redirectUri) {
      const made = (await read(issuer))?.value
      return made !== undefined && isGood(made, issuer, redirectUri, 0) ? made : undefined
    },

    async obtain(issuer, redirectUri, register) {
      const key = keyOf(issuer)
      const until = performance.now() + PATIENCE_MS
      while (performance.now() < until) {
        const before = (await read(issuer))?.value
        if (before !== undefined && isGood(before, issuer, redirectUri, LEAST_LEFT_MS)) return before
        const lease = await store.lease(key, LEASE_MS)
        if (lease === undefined) {
          await pause(50 + Math.random() * 100)
          continue
        }
        try {
          const found = await read(issuer)
          const current = found?.value
          if (current !== undefined && isGood(current, issuer, redirectUri, LEAST_LEFT_MS)) return current
          // What other servers of this issuer use stays, or two of them would take the client from each other for ever.
          const others = current?.redirectUris.filter((each) => each.startsWith(`${origin}/`)) ?? []
          const redirectUris = [...new Set([redirectUri, ...others])].slice(0, MAX_REDIRECT_URIS)
          const made: Registration = {
            ...(await register(redirectUris)),
            issuer,
            redirectUris,
            registeredAt: Math.round(now()),
          }
          const bytes = Buffer.from(JSON.stringify(made))
          const written = await store.put(key, bytes, { ifVersion: found?.version ?? null })
          if (written !== 'conflict') return made
          // Sealed anew or forgotten meanwhile: whatever is there now decides.
        } finally {
          await lease.release().catch(() => {}) // it runs out by itself
        }
      }
      throw new StoreError(`another process is registering at ${issuer}, and does not come to an end`)
    },

    async forget(issuer, clientId) {
      const found = await read(issuer)
      if (found?.value?.clientId === clientId) await store.delete(keyOf(issuer), { ifVersion: found.version })
    },
  }
}

function decode(value: Uint8Array): Registration | undefined {
  const made = objectIn<Registration>(value)
  const isWhole =
    typeof made?.clientId === 'string' && typeof made.issuer === 'string' && Array.isArray(made.redirectUris)
  return isWhole ? (made as Registration) : undefined
}
