/** Which authorization server an upstream has been found to have: remembered by all processes together, and changed by one. */
import type { Key, TokenStore } from '../../store/token-store.ts'
import type { OAuth2Server } from '../broker.ts'
import type { FoundAuthorization } from './find-authorization.ts'

/** What is remembered of a server. */
export interface Binding extends FoundAuthorization {
  /** The MCP server's, when it was asked. */
  readonly url: string
  /** The configured client, which is of one authorization server only. */
  readonly clientId?: string
  /** When it was found so last, in epoch milliseconds. */
  readonly checkedAt: number
}

/** See the top of the file. */
export interface Bindings {
  /** No binding for what was found by another configuration; the version is that of whatever is there. */
  read(): Promise<{ readonly binding: Binding | undefined; readonly version: string | null }>
  /**
   * Writes what was found, unless somebody has written since `version` was read; what counts now. So two processes that choose
   * at once have one choice.
   */
  write(binding: Binding, version: string | null): Promise<Binding>
}

/** The binding of one server, as long as its configuration names the same URL, client and authorization server. */
export function createBindings(store: TokenStore, { id: server, url, auth }: OAuth2Server): Bindings {
  const key: Key = { space: 'authorization-servers', owner: server, id: 'binding' }

  function isOurs(binding: Binding): boolean {
    const configured = binding.source === 'configured' ? binding.issuer : undefined
    return binding.url === url && binding.clientId === auth.clientId && configured === auth.issuer
  }

  async function read() {
    const found = await store.get(key)
    if (found === undefined) return { binding: undefined, version: null }
    const binding: Binding = JSON.parse(Buffer.from(found.value).toString('utf8'))
    return { binding: isOurs(binding) ? binding : undefined, version: found.version }
  }

  return {
    read,
    async write(binding, version) {
      const written = await store.put(key, Buffer.from(JSON.stringify(binding)), { ifVersion: version })
      return written === 'conflict' ? ((await read()).binding ?? binding) : binding
    },
  }
}
