/** What a guard's operator alone can mend: process warnings where nobody listens to the events that tell it. Callers' mistakes are none. */
import type { Clock } from '../core/clock.ts'
import { SallyportError } from '../core/errors.ts'
import type { Emitter } from '../core/events.ts'
import { createTroubles, tellable } from '../core/troubles.ts'
import type { LoginEvent } from '../login/events.ts'
import type { GuardEvents } from './decision.ts'

/** See the top of the file. */
export interface GuardWarnings {
  /** A request was answered 500 or 503, for `error`. `route` is its name; none of login's own pages. */
  failed(route: string | undefined, reason: string, error: unknown): void
  /** Whether a route that works has to be told. */
  readonly any: boolean
  /** Somebody was let in on a route, by a session or not. */
  worked(route: string, bySession: boolean): void
  /** Something of a sign-in. `why`: its detail without what a browser has brought. */
  login(event: LoginEvent, why: string | null): void
}

const LOGIN = 'browser login'
const REFRESH = 'refresh of sessions'

/** Nothing was warned of so far. */
export function createGuardWarnings(emitter: Pick<Emitter<GuardEvents>, 'heard'>, clock: Clock): GuardWarnings {
  const troubles = createTroubles('SALLYPORT_GUARD', clock)
  const signIn = (integration: string | null) => `sign-in with "${integration}"`

  return {
    failed(route, reason, error) {
      if (emitter.heard('decision')) return
      // Secrets, keys and the store are the same for all routes with login; a basic route has its own.
      const isLogin = route === undefined || (error instanceof SallyportError && reason !== 'check_failed')
      const place = isLogin ? LOGIN : `route "${route}"`
      const more = error instanceof SallyportError ? '' : "; guard.on('decision', …) has the rest"
      troubles.warn(place, reason, `${place} does not work (${reason}: ${tellable(error)})${more}`)
    },
    get any() {
      return troubles.any
    },
    worked(route, bySession) {
      troubles.worked(`route "${route}"`)
      if (bySession) troubles.worked(LOGIN)
    },
    login({ kind, integration, reason, reference }, why) {
      if (kind === 'signed_in') for (const place of [LOGIN, signIn(integration)]) troubles.worked(place)
      if (kind === 'refreshed') troubles.worked(REFRESH)
      if (emitter.heard('login')) return
      if (kind === 'failed' && (reason === 'rejected' || reason === 'unavailable')) {
        const page = reference === null ? '' : `; the page says ${reference}`
        troubles.warn(signIn(integration), reason, `${signIn(integration)} does not work (${reason}: ${why}${page})`)
      } else if (kind === 'refresh_failed' && (reason === 'failed' || reason === 'unchecked')) {
        troubles.warn(REFRESH, reason, `${REFRESH} does not work (${why})`)
      }
    },
  }
}
