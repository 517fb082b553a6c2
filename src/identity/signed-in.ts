/** Who is signed in, as a sign-in says it: that may be the host application's own, and plain JavaScript. */
import { SallyportError } from '../core/errors.ts'
import type { GateRequest } from '../http/gate.ts'
import type { IdentifyOptions, Identity, SignIn } from './sign-in.ts'

/**
 * Asks it; `null` for nobody, which `undefined` means too, as of a session that is not there. What it throws comes out.
 *
 * @throws SallyportError (`ERR_SUBJECT`) for what is no identity, of which nothing is repeated
 */
export async function whoIsSignedIn(
  signIn: Pick<SignIn, 'identify'>,
  request: GateRequest,
  options: IdentifyOptions,
): Promise<Identity | null> {
  const found: unknown = await signIn.identify(request, options)
  if (found === null || found === undefined) return null
  const missing = missingOf(found)
  if (missing === undefined) return found as Identity
  throw new SallyportError('ERR_SUBJECT', `signIn.identify answered with something that is no identity: ${missing}`)
}

function missingOf(found: unknown): string | undefined {
  if (typeof found !== 'object' || found === null) return `a ${typeof found}; nobody is null`
  const { id, integration, subject, groups, claims } = found as Record<string, unknown>
  const parts = {
    id: isText(id),
    integration: isText(integration),
    subject: isText(subject),
    groups: Array.isArray(groups),
    claims: typeof claims === 'object' && claims !== null,
  }
  const missing = Object.entries(parts).flatMap(([name, isThere]) => (isThere ? [] : [name]))
  return missing.length === 0 ? undefined : `without ${missing.join(', ')}`
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}
