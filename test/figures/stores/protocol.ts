/** What the harness and its processes say to each other. */
import type { RefreshEvent, RefreshTimes } from '../../../src/store/refresh-settings.ts'
import type { FoundTokens } from '../../../src/store/refresher.ts'
import type { Key } from '../../../src/store/token-store.ts'

/** Tokens of the authorization server. */
export interface FigureTokens {
  readonly access: string
  readonly refresh: string
  /** Whose they are. */
  readonly connection: string
  /** How often the refresh token has been rotated since the account was connected. */
  readonly rotation: number
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

/** The stores that are measured. */
export const BACKENDS = ['memory', 'sqlite', 'redis', 'postgres'] as const
export type BackendName = (typeof BACKENDS)[number]

/** What an actor is started with. */
export interface Setup {
  readonly worker: string
  readonly backend: BackendName
  /** Of the server, or the path of the file. */
  readonly url: string
  readonly sealingKey: string
  readonly issuer: string
  readonly times: Partial<RefreshTimes>
  /** How long its store waits for an answer. */
  readonly timeoutMs: number
}

/** What an actor can be told to do. */
export type Order =
  /** Asks for tokens, says that they were refused, and again, for each connection; until `target` rotations or `stop`. */
  | {
      readonly kind: 'loop'
      readonly connections: readonly string[]
      readonly target?: number
      readonly pauseMs?: number
    }
  | { readonly kind: 'stop' }
  /** Asks for tokens; with `refuse`, then says that they were refused. */
  | { readonly kind: 'ask'; readonly connection: string; readonly refuse: boolean }
  | { readonly kind: 'connect'; readonly connection: string; readonly tokens: FigureTokens }
  | { readonly kind: 'disconnect'; readonly connection: string }
  | { readonly kind: 'close' }

/** What a caller got; `error` where the refresher threw. */
export type ResultKind = FoundTokens<FigureTokens>['kind'] | 'error'

/** The answer to an order. */
export interface Answer {
  readonly kind: ResultKind | 'done'
  readonly tokens?: FigureTokens
  readonly message?: string
}

/** What an actor reports by itself. Tokens that were handed out in a loop are not reported one by one. */
export type Report =
  | {
      readonly kind: 'event'
      readonly connection: string
      readonly event: RefreshEvent['kind']
      readonly detail?: string
    }
  | { readonly kind: 'result'; readonly connection: string; readonly result: ResultKind; readonly message?: string }

/** From a process. */
export type FromProcess =
  | { readonly kind: 'ready' }
  | { readonly kind: 'report'; readonly report: Report }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Answer }

/** To a process. */
export interface ToProcess {
  readonly id: number
  readonly order: Order
}

/** Where a connection is stored. */
export function keyOf(connection: string): Key {
  return { space: 'connections', owner: connection, id: 'figures' }
}
