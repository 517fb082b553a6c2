/** Clients that know the gateway's URL and nothing else, and find out the rest (B4, RFC 9728): no token, no provider configured. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { ClientCase } from './client-case.ts'
import type { ClientKind, OAuthMemory } from './client-kind.ts'
import { failure } from './outcome.ts'
import { APPLICATION } from './providers.ts'
import type { Stage } from './stage.ts'

/** See the top of the file. */
export function signInCases(kinds: readonly ClientKind[]): readonly ClientCase[] {
  return kinds.flatMap((kind) => [
    {
      client: 'sign-in',
      title: `${kind.name} registers itself at the identity provider, signs the user in, and calls; it has nothing but the URL`,
      run: (stage: Stage) => signIn(kind, stage),
    },
    {
      client: 'sign-in',
      title: `${kind.name} as a client that is registered already signs the user in, and calls`,
      run: (stage: Stage) =>
        signIn(kind, stage, { client: { client_id: APPLICATION, issuer: stage.issuer }, scope: 'openid' }),
    },
  ])
}

async function signIn(
  kind: ClientKind,
  stage: Stage,
  settings: Pick<OAuthMemory, 'client' | 'scope'> = {},
): Promise<void> {
  const person = await stage.person()
  const { wiki } = stage.upstreams
  const before = wiki.calls.length
  const endpoint = stage.endpoint('public/wiki')
  const memory: OAuthMemory = {
    redirectUrl: stage.callbackUrl,
    state: randomUUID(),
    authorizationUrl: undefined,
    ...settings,
  }
  const attempt = kind.signIn(endpoint, memory)
  const sentAway = await failure(attempt.begin())
  // Version 1 does not set its name.
  assert.equal(Object.getPrototypeOf(sentAway).constructor.name, 'UnauthorizedError', String(sentAway))
  const asked = memory.authorizationUrl
  assert.ok(asked !== undefined, 'the client has found where to sign in')
  assert.equal(asked.searchParams.get('resource'), endpoint)
  assert.equal(asked.searchParams.get('code_challenge_method'), 'S256')
  const callback = await stage.signIn(person, asked.href)
  assert.equal(callback.searchParams.get('error'), null, `asked for scope: ${asked.searchParams.get('scope')}`)
  assert.equal(callback.searchParams.get('state'), memory.state)
  const connected = await attempt.finish(callback)
  try {
    assert.equal((await connected.call('echo', { text: 'signed in' })).text, 'signed in')
  } finally {
    await connected.close()
  }
  assert.ok(wiki.calls.slice(before).every(({ headers }) => headers.authorization === undefined))
  // The same person as by any other credential (G22).
  const calls = stage.audits.filter((event) => event.type === 'request' && event.caller?.subject === person.name)
  assert.ok(calls.length > 0, 'the audit names the person')
}
