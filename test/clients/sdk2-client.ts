/** The client of version 2 of the TypeScript SDK, in each of its ways to settle on a revision. */
import {
  Client,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  type VersionNegotiationMode,
} from '@modelcontextprotocol/client'
import {
  type ClientKind,
  clientAnswers,
  clientOptions,
  memoryProvider,
  type OAuthMemory,
  type OpenClient,
  type OpenOptions,
  openClient,
} from './client-kind.ts'

/** Legacy, auto, and pinned to the modern revision. */
export const SDK2_CLIENTS: readonly ClientKind[] = [
  sdk2('sdk2-legacy', 'legacy', 'legacy'),
  sdk2('sdk2-auto', 'auto', 'modern'),
  sdk2('sdk2-pinned', { pin: '2026-07-28' }, 'modern'),
]

function sdk2(name: string, mode: VersionNegotiationMode, era: 'legacy' | 'modern'): ClientKind {
  const url = (of: string) => new URL(of)
  return {
    name,
    era,
    speaksLegacy: typeof mode === 'string',
    open(endpoint, options) {
      const headers = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }
      return connect(mode, options, new StreamableHTTPClientTransport(url(endpoint), { requestInit: { headers } }))
    },
    signIn(endpoint, memory) {
      const authProvider = provider(memory)
      const transport = () => new StreamableHTTPClientTransport(url(endpoint), { authProvider })
      const first = transport()
      return {
        async begin() {
          await makeClient(mode, {}).connect(first)
        },
        async finish(callback) {
          await first.finishAuth(callback.searchParams)
          return connect(mode, {}, transport())
        },
      }
    },
  }
}

function makeClient(mode: VersionNegotiationMode, options: OpenOptions): Client {
  const made = { versionNegotiation: { mode }, ...clientOptions(options) }
  const client = new Client({ name: 'sallyport-test', version: '1.0.0' }, made)
  const { elicited, sampled } = clientAnswers(options)
  if (elicited !== undefined) client.setRequestHandler('elicitation/create', elicited)
  if (sampled !== undefined) client.setRequestHandler('sampling/createMessage', sampled)
  return client
}

async function connect(
  mode: VersionNegotiationMode,
  options: OpenOptions,
  transport: StreamableHTTPClientTransport,
): Promise<OpenClient> {
  const client = makeClient(mode, options)
  try {
    await client.connect(transport)
  } catch (error) {
    await client.close()
    throw error
  }
  return openClient(client, transport, client.getNegotiatedProtocolVersion(), (params, more) =>
    client.callTool(params, more),
  )
}

function provider(memory: OAuthMemory): OAuthClientProvider {
  let discovered: OAuthDiscoveryState | undefined
  return {
    ...memoryProvider<StoredOAuthClientInformation, StoredOAuthTokens>(memory, memory.client),
    saveDiscoveryState: (saved) => {
      discovered = saved
    },
    discoveryState: () => discovered,
  }
}
