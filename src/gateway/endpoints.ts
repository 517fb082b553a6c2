/**
 * Where MCP servers answer: `/mcp/{group}/{server}/server` by their name, and `/api/llm/mcp/{id}/server` by their id (G19).
 * A path has one spelling; whether a server is behind it is nobody's business who may not use it.
 */
import type { NormalisedRequest } from '../http/normalise.ts'

/** Where a server answers, or could. */
export interface Endpoint {
  /** The server's name; `undefined` where there is none, which must look to callers as one that they may not use. */
  readonly server: string | undefined
  /** `dev/github` or an id, as it is in the path. */
  readonly label: string
  readonly path: string
  /** The endpoint's URL, which is its resource identifier (RFC 8707 §2, RFC 9728 §1.2): what the `aud` of a token for it says. */
  readonly url: string
}

/** See the top of the file. */
export interface Endpoints {
  /**
   * What a request is for. `undefined`: no MCP endpoint, the gateway has nothing to do with it. `ambiguous`: it is or is not,
   * depending on how the path is read; to be answered 400.
   */
  find(request: Pick<NormalisedRequest, 'path' | 'otherPaths'>): Endpoint | 'ambiguous' | undefined
  /** The URLs of a server: by its name, then by its id. None for a server that is not there. */
  urlsOf(server: string): string[]
}

/** What a part of a server's name, or its id, looks like: the same in every spelling of a path, and nothing special in a grant. */
const PART = '[A-Za-z0-9][A-Za-z0-9._-]{0,63}'
const NAME = new RegExp(`^${PART}/${PART}$`)
const ID = new RegExp(`^${PART}$`)
const BY_NAME = new RegExp(`^/mcp/(${PART}/${PART})/server$`)
const BY_ID = new RegExp(`^/api/llm/mcp/(${PART})/server$`)

/** Whether a text can be the name of a server: `group/server`. */
export function isServerName(text: string): boolean {
  return NAME.test(text)
}

/** Whether a text can be the id of a server. */
export function isServerId(text: string): boolean {
  return ID.test(text)
}

/**
 * The endpoints of `servers`, whose names have been checked (`checkServerNames`).
 *
 * @param origin - the gateway's public origin, `https://gw.example.com`
 */
export function createEndpoints(
  servers: Readonly<Record<string, { readonly id?: string }>>,
  origin: string,
): Endpoints {
  const byPath = new Map<string, Endpoint>()
  const byServer = new Map<string, string[]>()

  function add(server: string, path: string): string {
    const endpoint = endpointAt(path, server)
    if (endpoint === undefined) throw new TypeError(`no endpoint can be at ${JSON.stringify(path)}`)
    byPath.set(path, Object.freeze(endpoint))
    return endpoint.url
  }

  function endpointAt(path: string, server: string | undefined): Endpoint | undefined {
    const label = (BY_NAME.exec(path) ?? BY_ID.exec(path))?.[1]
    return label === undefined ? undefined : { server, label, path, url: `${origin}${path}` }
  }

  for (const [name, { id }] of Object.entries(servers)) {
    const urls = [add(name, `/mcp/${name}/server`)]
    if (id !== undefined) urls.push(add(name, `/api/llm/mcp/${id}/server`))
    byServer.set(name, urls)
  }

  const look = (path: string) => byPath.get(path) ?? endpointAt(path, undefined)

  return {
    find({ path, otherPaths }) {
      if (otherPaths.length === 0) return look(path)
      // Whoever spells an endpoint in another way than its own wants it to be taken for something else, here or behind us.
      return [path, ...otherPaths].some((reading) => look(reading) !== undefined) ? 'ambiguous' : undefined
    },
    urlsOf: (server) => [...(byServer.get(server) ?? [])],
  }
}
