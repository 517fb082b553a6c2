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
