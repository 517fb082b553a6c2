/** What is to be done where a caller has no token that will do: a person visits a link; for all others a person has to be found. */
import type { Caller } from '../identity/caller.ts'
import { unavailable } from './bearer-credential.ts'
import { type Broker, NoSuchServerError, type StepUp } from './broker.ts'
import type { CredentialResult } from './credential.ts'

/** A link, or that nothing can be done at present. */
export type FoundNeed = Extract<CredentialResult, { kind: 'authorization_required' | 'unavailable' }>

/** See the top of the file. @param stepUp - more than what a connection has been given */
export async function consentNeed(
  broker: Pick<Broker, 'connectUrl'>,
  { kind, identity: by }: Caller,
  server: string,
  stepUp?: StepUp,
): Promise<FoundNeed> {
  if (kind !== 'person') return { kind: 'authorization_required', need: { kind: 'person' } }
  const more = stepUp === undefined ? {} : { stepUp }
  try {
    const urls = [await broker.connectUrl({ server, owner: by.id, by, ...more })]
    return { kind: 'authorization_required', need: { kind: 'visit', urls } }
  } catch (error) {
    // The configuration has changed since the call began. The next one will be told what there is.
    if (error instanceof NoSuchServerError) return unavailable(error.message)
    throw error
  }
}
