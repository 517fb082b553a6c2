/** What the form of an authorization signal hangs on, as far as it can be told from a call. */
import type { AuthorizationNeed } from '../broker/credential.ts'
import { takesUrlElicitation } from '../mcp/eras.ts'
import type { SignalSituation } from '../mcp/signal.ts'
import type { Call } from './call-step.ts'

/** @param seen - the era that the server has shown in its answers, if any */
export function signalSituation(
  { exchange, server, era, session, body }: Call,
  need: AuthorizationNeed,
  seen: 'modern' | 'legacy' | undefined,
): SignalSituation {
  const { config, name } = server
  const known = config.era ?? seen
  const { revision, capabilities } = era
  return {
    era: era.era,
    revision,
    // In a session it was said when that began.
    urlElicitation: session?.urlElicitation ?? takesUrlElicitation(revision, capabilities),
    asked: body?.messages ?? (exchange.request.method === 'DELETE' ? 'DELETE' : 'GET'),
    server: name,
    need,
    form: config.signal ?? 'best',
    discovery:
      known === 'modern' || config.bridge === true
        ? { serverInfo: { name: config.label ?? name, version: '0.0.0' } }
        : undefined,
  }
}
