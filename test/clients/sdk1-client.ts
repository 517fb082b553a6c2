/** The client of version 1 of the TypeScript SDK, what most people still run. */
import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { OAuthClientInformationMixed, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { type ClientKind, type OAuthMemory, type OpenClient, type OpenOptions, textOf } from './client-kind.ts'

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
    const authProvider = provider(memory)
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

function makeClient({ visit, answer, toolsChanged }: OpenOptions): Client {
  const elicitation = { ...(visit && { url: {} }), ...(answer && { form: {} }) }
  const client = new Client(
    { name: 'sallyport-test', version: '1.0.0' },
    {
      capabilities: { ...((visit ?? answer) && { elicitation }), ...(answer && { sampling: {} }) },
      ...(toolsChanged && {
        listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: () => toolsChanged() } },
      }),
    },
  )
  if (visit !== undefined || answer !== undefined) {
    client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
      if (params.mode === 'url') {
        await visit?.(params.url)
        return { action: 'accept' }
      }
      return { action: 'accept', content: (answer?.(params.message) ?? {}) as Record<string, string | boolean> }
    })
  }
  if (answer !== undefined) {
    client.setRequestHandler(CreateMessageRequestSchema, async () => ({
      model: 'test',
      role: 'assistant' as const,
      content: { type: 'text' as const, text: String(answer('sampling').text) },
    }))
  }
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
  return {
    version: transport.protocolVersion ?? '',
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    prompt: async (name, args) =>
      (await client.getPrompt({ name, arguments: args })).messages.map(({ content }) => textOf([content])).join(''),
    resource: async (uri) => textOf((await client.readResource({ uri })).contents),
    async call(name, args = {}, { onprogress, signal } = {}) {
      const { content, structuredContent, isError } = await client.callTool({ name, arguments: args }, undefined, {
        ...(onprogress && { onprogress: ({ progress }) => onprogress(progress) }),
        ...(signal && { signal }),
      })
      return { text: textOf(content), structured: structuredContent, isError: isError === true }
    },
    async close() {
      if (transport.sessionId !== undefined) await transport.terminateSession()
      await client.close()
    },
  }
}

function provider(memory: OAuthMemory): OAuthClientProvider {
  let information: OAuthClientInformationMixed | undefined = memory.client
  let tokens: OAuthTokens | undefined
  let verifier = ''
  return {
    redirectUrl: memory.redirectUrl,
    clientMetadata: {
      client_name: 'sallyport-test',
      redirect_uris: [memory.redirectUrl],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      ...(memory.scope !== undefined && { scope: memory.scope }),
    },
    state: () => memory.state ?? '',
    clientInformation: () => information,
    saveClientInformation: (saved) => {
      information = saved
    },
    tokens: () => tokens,
    saveTokens: (saved) => {
      tokens = saved
    },
    redirectToAuthorization: (to) => {
      memory.authorizationUrl = to
    },
    saveCodeVerifier: (saved) => {
      verifier = saved
    },
    codeVerifier: () => verifier,
  }
}
