/** The client of version 1 of the TypeScript SDK, what most people still run. */
import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { OAuthClientInformationMixed, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import {
  type ClientKind,
  clientAnswers,
  clientOptions,
  memoryProvider,
  type OpenClient,
  type OpenOptions,
  openClient,
} from './client-kind.ts'

/** It has the legacy era only. */
export const SDK1_CLIENT: ClientKind = {
  name: 'sdk1',
  era: 'legacy',
  speaksLegacy: true,
  open(endpoint, options) {
    const headers: Record<string, string> = {}
    if (options.token !== undefined) headers.authorization = `Bearer ${options.token}`
    return connect(options, new StreamableHTTPClientTransport(new URL(endpoint), { requestInit: { headers } }))
  },
  signIn(endpoint, memory) {
    const authProvider: OAuthClientProvider = memoryProvider<OAuthClientInformationMixed, OAuthTokens>(
      memory,
      memory.client,
    )
    const transport = () => new StreamableHTTPClientTransport(new URL(endpoint), { authProvider })
    const first = transport()
    return {
      async begin() {
        await makeClient({}).connect(first as Transport)
      },
      async finish(callback) {
        await first.finishAuth(callback.searchParams.get('code') ?? '')
        return connect({}, transport())
      },
    }
  },
}

function makeClient(options: OpenOptions): Client {
  const client = new Client({ name: 'sallyport-test', version: '1.0.0' }, clientOptions(options))
  const { elicited, sampled } = clientAnswers(options)
  if (elicited !== undefined) client.setRequestHandler(ElicitRequestSchema, elicited)
  if (sampled !== undefined) client.setRequestHandler(CreateMessageRequestSchema, sampled)
  return client
}

async function connect(options: OpenOptions, transport: StreamableHTTPClientTransport): Promise<OpenClient> {
  const client = makeClient(options)
  try {
    // Its declared properties are not what `exactOptionalPropertyTypes` wants.
    await client.connect(transport as Transport)
  } catch (error) {
    await client.close()
    throw error
  }
  return openClient(client, transport, transport.protocolVersion, (params, more) =>
    client.callTool(params, undefined, more),
  )
}
