/** Too little scope: 403 with all that a client has to ask for (MCP, Scope Challenge Handling; RFC 6750 §3.1). */
import { probe } from './probe.ts'
import { type AuthorizationScenario, collectChecks, SPEC } from './scenario.ts'

/** See the top of the file. */
export const SCOPE_STEP_UP: AuthorizationScenario = {
  name: 'authorization/scope-step-up',
  source: { introducedIn: '2025-11-25' },
  description: 'A client with a token that is good for too little learns which scopes to ask for, and where.',
  async run({ stepUp }, revision) {
    const checks = collectChecks()
    if (stepUp === undefined) return checks.all
    const { serverUrl, lesser, greater, scopes } = stepUp
    const { status, challenge = {} } = await probe(serverUrl, revision, { token: lesser })
    const { error, scope = '', resource_metadata: metadata } = challenge
    const answered = status === 403 ? undefined : `it is answered ${status}`
    checks.add('step-up-403', 'Too little scope is answered 403', SPEC.authorization, answered)
    const said = error === 'insufficient_scope' ? undefined : `error is ${JSON.stringify(error)}`
    checks.add('step-up-error', 'The challenge says insufficient_scope', SPEC.challenge, said)
    const missing = scopes.filter((each) => !scope.split(' ').includes(each))
    const without =
      missing.length === 0 ? undefined : `scope is ${JSON.stringify(scope)}, without ${missing.join(', ')}`
    checks.add('step-up-scope', 'scope has all that the request takes', SPEC.authorization, without, 'should')
    const offline = scope.split(' ').includes('offline_access') ? 'it has offline_access' : undefined
    checks.add('step-up-offline-access', 'scope has no offline_access', SPEC.authorization, offline, 'should')
    const found = metadata === undefined ? undefined : await fetch(metadata).then((answer) => answer.json())
    const { resource } = (found ?? {}) as { resource?: unknown }
    const about =
      resource === serverUrl ? undefined : `resource_metadata is ${metadata}, about ${JSON.stringify(resource)}`
    checks.add('step-up-metadata', 'The challenge names the metadata of this server', SPEC.metadata, about)
    const more = await probe(serverUrl, revision, { token: greater })
    const accepted = more.status === 200 ? undefined : `it is answered ${more.status}`
    checks.add('step-up-greater', 'The same with these scopes is accepted', SPEC.authorization, accepted)
    return checks.all
  },
}
