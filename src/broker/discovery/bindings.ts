/**
 * Which authorization server an upstream has been found to have: remembered by all processes together, and changed by one. A
 * record that nobody can read is as if it were not there, but for its version: it can be found out anew.
 */
import type { Key, TokenStore } from '../../store/token-store.ts'
import { objectIn, readReplaceable, warnOnce } from '../../store/unopened.ts'
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
  /**
   * No binding for what was found by another configuration; the version is that of whatever is there. `isLost`: there was a
   * binding, and nobody can read it.
   */
  read(): Promise<{ readonly binding: Binding | undefined; readonly version: string | null; readonly isLost: boolean }>
  /**
   * Writes what was found, unless somebody has written since `version` was read; what counts now. So two processes that choose
   * at once have one choice.
   */
  write(binding: Binding, version: string | null): Promise<Binding>
}

/** The binding of one server, as long as its configuration names the same URL, client and authorization server. */
export function createBindings(store: TokenStore, { id: server, url, auth }: OAuth2Server): Bindings {
  const key: Key = { space: 'authorization-servers', owner: server, id: 'binding' }
  const lost = warnOnce('an authorization server is looked for anew')

  function isOurs(binding: Binding): boolean {
    const configured = binding.source === 'configured' ? binding.issuer : undefined
    return binding.url === url && binding.clientId === auth.clientId && configured === auth.issuer
  }

  async function read() {
    const found = await readReplaceable(store, key, decode, lost)
    if (found === undefined) return { binding: undefined, version: null, isLost: false }
    const { value, version } = found
    return { binding: value && isOurs(value) ? value : undefined, version, isLost: value === undefined }
  }

  return {
    read,
    async write(binding, version) {
      const written = await store.put(key, Buffer.from(JSON.stringify(binding)), { ifVersion: version })
      return written === 'conflict' ? ((await read()).binding ?? binding) : binding
    },
  }
}

function decode(value: Uint8Array): Binding | undefined {
  const binding = objectIn<Binding>(value)
  return typeof binding?.issuer === 'string' && Array.isArray(binding.scopes) ? (binding as Binding) : undefined
}
