/** What a caller has under way at a server, and the places of it that requests have taken and give back. */

/** What one caller has under way at one server. `others` is what asks for no answer, and what ends a session. */
export interface UnderWay {
  calls: number
  streams: number
  others: number
}

/**
 * A place that one request has taken. Not a closure: one that is made for every request keeps the request alive until a full
 * collection, with all that belongs to it (measured at 3 kB a request and a tenth of the time of a call).
 */
export class Place {
  readonly #count: UnderWay
  readonly #kind: keyof UnderWay
  #taken = true

  constructor(count: UnderWay, kind: keyof UnderWay) {
    this.#count = count
    this.#kind = kind
  }

  /** Once; nothing happens afterwards. */
  giveBack(): void {
    if (this.#taken) this.#count[this.#kind]--
    this.#taken = false
  }
}
