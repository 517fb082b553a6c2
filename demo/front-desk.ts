/** A gate of the demo's own, in front of the guard. Anything with `handle`, `ready` and `close` is one. */
import type { Gate } from 'sallyport'

/** See the top of the file. */
export interface FrontDesk extends Gate {
  /** Requests that it left to the guard, upgrades among them. */
  readonly passedOn: number
}

const THIS_MACHINE = /^(?:127\.0\.0\.1|localhost):\d+$/

/** Leads whoever opens the bare address of a server in a browser to the page, and counts the others. */
export function createFrontDesk(): FrontDesk {
  let passedOn = 0
  return {
    get passedOn() {
      return passedOn
    },
    handle({ target, headers }) {
      if (target === '/' && THIS_MACHINE.test(headers.host ?? '')) {
        return { kind: 'reply', reply: { status: 302, headers: { location: '/app/' } } }
      }
      passedOn++
      return { kind: 'skip' }
    },
    ready: async () => {},
    close: async () => {},
  }
}
