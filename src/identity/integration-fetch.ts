/**
 * Fetches from an identity provider: its metadata, its keys, its endpoints. What the configuration has written down is fetched as
 * it is written; what the provider's documents name goes by the rules for addresses, so that none of them leads into our own network.
 */
import type { Fetch } from '../net/fetch.ts'
import type { Integration } from './integration.ts'

/** A fetch function for one integration. `fetch` is the user's own, in place of `globalThis.fetch`. */
export function integrationFetch(
  { issuer, metadataUrl, jwksUri, oauth2 }: Integration,
  fetch: Fetch | undefined,
): Fetch {
  const { authorizationUrl, tokenUrl, userInfoUrl, revocationUrl } = oauth2 ?? {}
  const written = [issuer, metadataUrl, jwksUri, authorizationUrl, tokenUrl, userInfoUrl, revocationUrl].filter(
    (url) => url !== undefined && URL.canParse(url),
  ) as string[]
  const hosts = new Set(written.map((url) => new URL(url).hostname))
  let guarded: Promise<Fetch> | undefined

  async function makeGuarded(): Promise<Fetch> {
    // Most providers have everything on one host, and to load undici takes longer than all of a guard.
    const { guardedFetch } = await import('../net/guarded-fetch.ts')
    return guardedFetch({ written, fetch })
  }

  return async (url, init) => {
    if (hosts.has(new URL(url).hostname)) return (fetch ?? globalThis.fetch)(url, init)
    guarded ??= makeGuarded()
    return (await guarded)(url, init)
  }
}
