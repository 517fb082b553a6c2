/** What the authorization server has seen: who redeemed a refresh token first, and who used it again. */

/** A request to the token endpoint, as far as its headers tell. */
export interface TokenRequest {
  readonly worker: string
  readonly connection: string
}

/** A refresh token that was used again. */
export interface Reuse extends TokenRequest {
  readonly first: string
  /** Whether the first who redeemed it was alive at the time. */
  readonly firstAlive: boolean
}

/** How a request ended. */
export type Outcome = 'redeemed' | 'reuse' | 'refused'

/** See the top of the file. */
export interface Ledger {
  readonly redemptions: number
  readonly reuses: readonly Reuse[]
  /** Requests with a token that nobody had redeemed and the server did not take. */
  readonly refusals: readonly TokenRequest[]
  note(request: TokenRequest, token: string, success: boolean, rotated: boolean): Outcome
}

/** @param alive - whether a worker is alive now */
export function createLedger(alive: (worker: string) => boolean): Ledger {
  const firsts = new Map<string, string>()
  const reuses: Reuse[] = []
  const refusals: TokenRequest[] = []
  let redemptions = 0
  return {
    get redemptions() {
      return redemptions
    },
    reuses,
    refusals,
    note(request, token, success, rotated) {
      const first = firsts.get(token)
      // Two requests at the very same time can both succeed; the second is a reuse all the same.
      if (first !== undefined) {
        reuses.push({ ...request, first, firstAlive: alive(first) })
        return 'reuse'
      }
      if (!success) {
        refusals.push(request)
        return 'refused'
      }
      redemptions++
      if (rotated) firsts.set(token, request.worker)
      return 'redeemed'
    },
  }
}
