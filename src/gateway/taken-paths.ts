/** Paths that somebody answers already: what else the gateway has must not lie in their way, nor they in its. */
import type { Guard } from '../guard/create-guard.ts'
import { PAGES } from '../login/places.ts'
import type { GatewayConfig } from './config.ts'

/** See the top of the file. */
export interface TakenPath {
  readonly path: string
  /** Whether all that is below it is taken too. */
  readonly below: boolean
  /** Who answers there. */
  readonly by: string
}

/** Taken as a whole, with all that is below it. */
export function takenTree(path: string, by: string): TakenPath {
  return { path, below: true, by }
}

const GATEWAY = 'where the gateway answers'

/** Where the gateway answers whatever its pages are called. */
export const ALWAYS_TAKEN = ['/mcp', '/api/llm/mcp', '/.well-known'].map((path) => takenTree(path, GATEWAY))

/** Where people sign in and out on the gateway's own origin: a guard says where its pages are, a host application may. */
export function takenBySignIn({ url, signIn }: Pick<GatewayConfig, 'url' | 'signIn'>): TakenPath[] {
  if (typeof signIn !== 'object' || signIn === null || !URL.canParse(url)) return []
  const { origin } = new URL(url)
  const { redirectUrls, signOutUrl }: Partial<Pick<Guard, 'redirectUrls' | 'signOutUrl'>> = signIn
  const callbacks = typeof redirectUrls === 'function' ? redirectUrls.call(signIn) : []
  const pages = callbacks.flatMap(({ integration, callback }) => {
    const end = `${PAGES.callback}${integration}`
    return pathsOn(origin, callback)
      .filter((path) => path.endsWith(end))
      .map((path) => takenTree(path.slice(0, -end.length), 'where signIn has its pages'))
  })
  const signOut = pathsOn(origin, signOutUrl).map((path) => ({
    path,
    below: false,
    by: 'where signIn signs people out',
  }))
  return [...pages, ...signOut]
}

/**
 * What is wrong with `path`, told with what it is in the way of; `undefined` where it is free.
 *
 * @param below - whether it takes all that is below it
 */
export function pathProblem(path: string, taken: readonly TakenPath[], below: boolean): string | undefined {
  const other = taken.find((each) => {
    const isWithin = liesIn(path, each.path)
    const isAround = liesIn(each.path, path)
    return (isWithin && each.below) || (isAround && below) || (isWithin && isAround)
  })
  return other && `"${path}" is in the way of "${other.path}", ${other.by}`
}

/** Whether a path is another one, or below it, however its letters are written. */
export function liesIn(path: string, prefix: string): boolean {
  const [inner, outer] = [path.toLowerCase(), prefix.toLowerCase()]
  return inner === outer || inner.startsWith(`${outer}/`)
}

function pathsOn(origin: string, url: string | undefined): string[] {
  if (url === undefined || !URL.canParse(url, origin)) return []
  const found = new URL(url, origin)
  return found.origin === origin && found.pathname !== '' ? [found.pathname] : []
}
