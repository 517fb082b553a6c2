/**
 * Fetches what a document from outside names, without being led into our own network (server-side request forgery): an
 * address that is not public is used only where the configuration itself has written down one of that kind.
 */
import { lookup as lookUp } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { promisify } from 'node:util'
import { Agent, fetch as undiciFetch } from 'undici'
import { FetchError } from '../core/errors.ts'
import { type AddressClass, addressClass } from './address-class.ts'
import type { Fetch } from './fetch.ts'

/** How it fetches. */
export interface GuardedFetchSettings {
  /** URLs that the configuration has written down. */
  readonly written: readonly string[]
  /**
   * The user's own, say for a proxy, which finds addresses itself: those that are found here are checked, a name that has
   * none here is left to it. Without one, the address that was checked is the one that is connected to.
   */
  readonly fetch?: Fetch | undefined
  /** Finds addresses; the machine's own by default. */
  readonly lookup?: Lookup
}

/** The addresses of a host. */
export type Lookup = (hostname: string) => Promise<readonly { readonly address: string; readonly family: number }[]>

const systemLookup: Lookup = (hostname) => promisify(lookUp)(hostname, { all: true })
/** Idle connections are let go of soon: an authorization server is asked seldom. */
const KEEP_ALIVE_MS = 4_000

/**
 * A fetch function for one authorization server. Every hop of a redirect goes through it, where redirects are followed by hand
 * as `boundedFetch` does.
 *
 * It throws FetchError (`ERR_FETCH`) for an address that is refused.
 */
export function guardedFetch(settings: GuardedFetchSettings): Fetch {
  const { fetch, lookup = systemLookup } = settings
  const written = settings.written.filter((url) => URL.canParse(url)).map(hostOf)

  /** The kinds of networks that the configuration has written down. A name without an address is of none. */
  async function allowedClasses(): Promise<ReadonlySet<AddressClass>> {
    const addresses = await Promise.all(written.map((host) => addressesOf(host).catch(() => [])))
    return new Set<AddressClass>(['public', ...addresses.flat().map(({ address }) => addressClass(address))])
  }

  async function addressesOf(host: string): ReturnType<Lookup> {
    const family = isIP(host)
    return family === 0 ? lookup(host) : [{ address: host, family }]
  }

  /** The addresses of `host`, all of which may be used. */
  async function checked(host: string): ReturnType<Lookup> {
    const addresses = await addressesOf(host)
    const classes = [...new Set(addresses.map(({ address }) => addressClass(address)))]
    if (written.includes(host) || classes.every((each) => each === 'public')) return addresses
    const allowed = await allowedClasses()
    const refused = classes.find((each) => !allowed.has(each))
    if (refused === undefined) return addresses
    throw new FetchError(`${host}: its address is ${refused}, and the configuration names no such address`)
  }

  if (fetch !== undefined) {
    return async (url, init) => {
      const host = hostOf(url)
      if (isIP(host) !== 0) await checked(host)
      else {
        await checked(host).catch((error: unknown) => {
          if (error instanceof FetchError) throw error
        })
      }
      return fetch(url, init)
    }
  }

  const find: LookupFunction = (hostname, options, callback) => {
    checked(hostname).then(
      (addresses) => {
        const wanted = addresses.filter(({ family }) => !options.family || family === options.family)
        const [first] = wanted
        if (options.all) callback(null, [...wanted])
        else if (first !== undefined) callback(null, first.address, first.family)
        else callback(new FetchError(`${hostname}: it has no address of the wanted family`), '')
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    )
  }
  const dispatcher = new Agent({
    connect: { lookup: find },
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
  })
  return async (url, init) => {
    const host = hostOf(url)
    // Sockets connect to an address as it is.
    if (isIP(host) !== 0) await checked(host)
    const sent = { ...init, dispatcher } as unknown as Parameters<typeof undiciFetch>[1]
    return (await undiciFetch(url, sent)) as unknown as Response
  }
}

/** The host of a URL as sockets want it: without brackets. */
function hostOf(url: string): string {
  const { hostname } = new URL(url)
  return hostname.replace(/^\[|\]$/g, '')
}
