/** What a gateway knows callers by: keys, virtual accounts, people, tokens of identity providers. All of it outlives a configuration. */
import type { Clock } from '../core/clock.ts'
import { createApiKeys } from '../identity/api-keys.ts'
import { type Callers, createCallers } from '../identity/callers.ts'
import type { ExternalIdentities } from '../identity/external-identities.ts'
import { createIntegrations } from '../identity/integrations.ts'
import type { KeyEvent } from '../identity/key-event.ts'
import type { KeyReports } from '../identity/key-reports.ts'
import { createPeople } from '../identity/people.ts'
import { createTokenOwners } from '../identity/token-owners.ts'
import { createVirtualAccounts } from '../identity/virtual-accounts.ts'
import { createSignatureCache } from '../jwt/signature-cache.ts'
import { createTokenVerifier } from '../jwt/token-verifier.ts'
import type { TokenStore } from '../store/token-store.ts'
import type { GatewayConfig } from './config.ts'
import { createGatewayKeys } from './gateway-keys.ts'
import { createKnownPeople } from './known-people.ts'

const TOKEN_CACHE = { maxEntries: 20_000, maxBytes: 64 * 1024 * 1024 }
const MAX_PERSON_AGE_SECONDS = 30 * 24 * 3600
/** How long a person's record is believed without asking the store. */
const PEOPLE_CACHE_MS = 5_000

/**
 * Makes them. `store` seals what it keeps; `onKey` is told of keys made, used, refused and revoked; `disconnect` ends all
 * connections of an identity.
 */
export function createIdentityParts(
  config: GatewayConfig,
  {
    store,
    clock,
    keyReports,
    onKey,
    disconnect,
  }: {
    readonly store: TokenStore
    readonly clock: Clock
    readonly keyReports: KeyReports
    readonly onKey: (event: KeyEvent) => void
    readonly disconnect: (id: string) => Promise<unknown>
  },
) {
  const { directory, integrations: configured = {}, maxPersonAgeSeconds = MAX_PERSON_AGE_SECONDS } = config
  const integrations = createIntegrations(configured, config.fetch, clock, keyReports.report)
  const verify = createTokenVerifier(createSignatureCache(TOKEN_CACHE), clock)
  const keys = createApiKeys({ store, clock, on: onKey })
  const names = Object.keys(configured)
  const accounts = createVirtualAccounts({
    store,
    clock,
    keys,
    disconnect,
    configured: config.virtualAccounts ?? {},
    integrations: names,
  })
  const people = createPeople(store, clock, PEOPLE_CACHE_MS)
  const remember = createKnownPeople(people, configured, clock, maxPersonAgeSeconds)
  // Past the cache: somebody may have signed in a moment ago. Those of a directory may be there by the time that a key is used.
  const find =
    directory === undefined
      ? createTokenOwners({ people: createPeople(store, clock), clock, configured, maxPersonAgeSeconds })
      : undefined

  return {
    accounts,
    /** What sign-ins have left of people. */
    records: people,
    remember,
    /** The keys as the host application has them. */
    gatewayKeys: createGatewayKeys(keys, accounts, { remember, find }),
    /** `quiet`: tells nobody that a key was used. */
    makeCallers(externalIdentities: ExternalIdentities, quiet: boolean): Callers {
      return createCallers({
        keys,
        virtualAccounts: accounts,
        people,
        externalIdentities,
        configured,
        integrations,
        verify,
        clock,
        maxPersonAgeSeconds,
        ...(directory === undefined ? {} : { directory }),
        ...(quiet ? {} : { on: onKey }),
      })
    },
    /** Virtual accounts of a configuration that counts from now on. */
    reconfigure(virtualAccounts: NonNullable<GatewayConfig['virtualAccounts']>): void {
      accounts.reconfigure(virtualAccounts, names)
    },
    /** Whether the keys of each identity provider are there: rejects where they cannot be had. */
    settling: (): readonly Promise<void>[] => [...integrations.values()].map(({ keySet }) => keySet.settle()),
    /** Writes what is still to be written. */
    close: () => keys.close(),
    /** Lets go of the rest, once nobody asks any more. */
    letGo(): void {
      accounts.close()
      people.close()
      for (const { keySet } of integrations.values()) keySet.close()
    },
  }
}

/** See the top of the file. */
export type IdentityParts = ReturnType<typeof createIdentityParts>
