/** What is to be done where a caller has no token that will do: a person visits a link; for all others a person has to be found. */
import type { Caller } from '../identity/caller.ts'
import type { Broker, StepUp } from './broker.ts'
import type { AuthorizationNeed } from './credential.ts'

/** See the top of the file. @param stepUp - more than what a connection has been given */
export async function consentNeed(
  broker: Pick<Broker, 'connectUrl'>,
  { kind, identity: by }: Caller,
  server: string,
  stepUp?: StepUp,
): Promise<AuthorizationNeed> {
  if (kind !== 'person') return { kind: 'person' }
  const more = stepUp === undefined ? {} : { stepUp }
  return { kind: 'visit', urls: [await broker.connectUrl({ server, owner: by.id, by, ...more })] }
}
