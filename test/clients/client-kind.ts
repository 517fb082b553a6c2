/** What the SDKs' clients have in common, so that a case is written once and run with each of them. */

/** An MCP client that people use, in one way of using it. */
export interface ClientKind {
  /** `sdk2-auto`, as `--only` knows it. */
  readonly name: string
  /** The era that it ends up in with a server of both. */
  readonly era: 'legacy' | 'modern'
  /** Whether it goes back to the legacy era with a server that has nothing else. */
  readonly speaksLegacy: boolean
  /** Connects; rejects with what the client rejects with. */
  open(url: string, options: OpenOptions): Promise<OpenClient>
  /** A transport for signing in by the client's own means, and how to go on once the browser is back. */
  signIn(url: string, provider: OAuthMemory): SignInByClient
}

/** How a client connects. */
export interface OpenOptions {
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string
  /** Declares `elicitation.url`, and is called with each URL; the answer is `accept`. */
  readonly visit?: (url: string) => Promise<void>
  /** Called for a form, and for what the client's model is asked; without it neither is declared. */
  readonly answer?: (question: string) => Record<string, unknown>
  /** Called when the list of tools has changed; asks for it where that has to be asked for. */
  readonly toolsChanged?: () => void
}

/** A client that is connected. */
export interface OpenClient {
  readonly version: string
  tools(): Promise<string[]>
  prompt(name: string, args: Record<string, string>): Promise<string>
  resource(uri: string): Promise<string>
  call(name: string, args?: Record<string, unknown>, options?: CallOptions): Promise<ToolAnswer>
  close(): Promise<void>
}

/** Of one call. */
export interface CallOptions {
  readonly onprogress?: (progress: number) => void
  readonly signal?: AbortSignal
}

/** What a tool has answered. */
export interface ToolAnswer {
  readonly text: string
  readonly structured: unknown
  readonly isError: boolean
}

/** Where a client keeps what it needs for signing in; the SDKs' `OAuthClientProvider` reads and writes it. */
export interface OAuthMemory {
  readonly redirectUrl: string
  /** A client that is registered already at that issuer; else it registers itself. */
  readonly client?: { readonly client_id: string; readonly issuer: string }
  /** What the client's own settings say to ask for where nobody else says it. */
  readonly scope?: string
  /** Where the browser is sent. */
  authorizationUrl: URL | undefined
  /** What was asked of the authorization server, as far as it goes through the client's hands. */
  state: string | undefined
}

/** See {@link ClientKind.signIn}. */
export interface SignInByClient {
  /** The first attempt, which ends with the browser being sent away. */
  begin(): Promise<void>
  /** Redeems the code in the URL that the browser came back to, and connects. */
  finish(callback: URL): Promise<OpenClient>
}

/** The JSON-RPC error that a client rejects with; it is wrapped by some of them. */
export function rpcError(error: unknown): { readonly code: number; readonly message: string; readonly data: unknown } {
  for (let current = error; current instanceof Error; current = current.cause) {
    const { code, data } = current as Error & { code?: unknown; data?: unknown }
    if (typeof code === 'number') return { code, message: current.message, data }
  }
  throw new Error('not a JSON-RPC error', { cause: error })
}

/** The text of a content list. */
export function textOf(content: unknown): string {
  const list = Array.isArray(content) ? (content as readonly { type?: unknown; text?: unknown }[]) : []
  return list.map(({ text }) => (typeof text === 'string' ? text : '')).join('')
}

/** What a client of either SDK is made with: it declares what it is asked for, and no more. */
export function clientOptions({ visit, answer, toolsChanged }: OpenOptions) {
  const elicitation = { ...(visit && { url: {} }), ...(answer && { form: {} }) }
  return {
    capabilities: { ...((visit ?? answer) && { elicitation }), ...(answer && { sampling: {} }) },
    ...(toolsChanged && {
      listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: () => toolsChanged() } },
    }),
  }
}

/** Answers `elicitation/create` and `sampling/createMessage`; `undefined` where the client is to declare no such thing. */
export function clientAnswers({ visit, answer }: OpenOptions) {
  const elicited = async ({ params }: { params: { mode?: unknown; url?: unknown; message: string } }) => {
    if (params.mode === 'url') {
      await visit?.(String(params.url))
      return { action: 'accept' as const }
    }
    return { action: 'accept' as const, content: (answer?.(params.message) ?? {}) as Record<string, string | boolean> }
  }
  const sampled = async () => ({
    model: 'test',
    role: 'assistant' as const,
    content: { type: 'text' as const, text: String(answer?.('sampling').text) },
  })
  return {
    elicited: (visit ?? answer) === undefined ? undefined : elicited,
    sampled: answer === undefined ? undefined : sampled,
  }
}

/** What is alike in the clients of both SDKs; their ways to call a tool differ. */
interface SdkClient {
  listTools(): Promise<{ tools: readonly { readonly name: string }[] }>
  getPrompt(params: {
    name: string
    arguments: Record<string, string>
  }): Promise<{ messages: readonly { readonly content: unknown }[] }>
  readResource(params: { uri: string }): Promise<{ contents: unknown }>
  close(): Promise<void>
}

/** How one SDK calls a tool. */
type SdkCall = (
  params: { name: string; arguments: Record<string, unknown> },
  options: { onprogress?: (progress: { progress: number }) => void; signal?: AbortSignal },
) => Promise<object>

/** An {@link OpenClient} out of the client of an SDK that is connected over `transport`. */
export function openClient(
  client: SdkClient,
  transport: { readonly sessionId?: string | undefined; terminateSession(): Promise<void> },
  version: string | undefined,
  callTool: SdkCall,
): OpenClient {
  return {
    version: version ?? '',
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    prompt: async (name, args) =>
      (await client.getPrompt({ name, arguments: args })).messages.map(({ content }) => textOf([content])).join(''),
    resource: async (uri) => textOf((await client.readResource({ uri })).contents),
    async call(name, args = {}, { onprogress, signal } = {}) {
      const options = {
        ...(onprogress && { onprogress: ({ progress }: { progress: number }) => onprogress(progress) }),
        ...(signal && { signal }),
      }
      const answer = await callTool({ name, arguments: args }, options)
      const { content, structuredContent, isError } = answer as Record<string, unknown>
      return { text: textOf(content), structured: structuredContent, isError: isError === true }
    },
    async close() {
      if (transport.sessionId !== undefined) await transport.terminateSession()
      await client.close()
    },
  }
}

/** What both SDKs' `OAuthClientProvider` have in common: what is found out on the way is kept for as long as it lives. */
export function memoryProvider<Information, Tokens>(memory: OAuthMemory, client: Information | undefined) {
  let information = client
  let tokens: Tokens | undefined
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
    saveClientInformation: (saved: Information) => {
      information = saved
    },
    tokens: () => tokens,
    saveTokens: (saved: Tokens) => {
      tokens = saved
    },
    redirectToAuthorization: (to: URL) => {
      memory.authorizationUrl = to
    },
    saveCodeVerifier: (saved: string) => {
      verifier = saved
    },
    codeVerifier: () => verifier,
  }
}
