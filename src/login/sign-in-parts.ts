/** What signing in works with. */
import type { Clock } from '../core/clock.ts'
import type { People } from '../identity/people.ts'
import type { TokenVerifier } from '../jwt/token-verifier.ts'
import type { LoginConfig } from './config.ts'
import type { LoginEvent } from './events.ts'
import type { HandOffs } from './hand-off.ts'
import type { Places } from './places.ts'
import type { Provider } from './provider.ts'
import type { Sessions } from './session.ts'
import type { Transactions } from './transaction.ts'

/** See the top of the file. */
export interface SignInParts {
  readonly config: LoginConfig
  readonly places: Places
  readonly providers: ReadonlyMap<string, Provider>
  readonly sessions: Sessions
  readonly transactions: Transactions
  readonly handOffs: HandOffs
  readonly people: People | undefined
  readonly verify: TokenVerifier
  readonly clock: Clock
  /** `why`: its detail without what a browser has brought; the same by default. */
  tell(event: Pick<LoginEvent, 'kind' | 'integration'> & Partial<LoginEvent>, why?: string): void
}
