/** 401 in all its cases: which requests get it, and what it says (RFC 6750 §3; MCP, Token Handling). */
import { hasSessions, type Probe, type ProbeAnswer, probe } from './probe.ts'
import { type AuthorizationScenario, collectChecks, SPEC } from './scenario.ts'

/** See the top of the file. */
export const CHALLENGES: AuthorizationScenario = {
  name: 'authorization/challenges',
  source: { introducedIn: '2025-06-18' },
  description: 'Every request without a good token is answered 401 with a challenge that a client can go by.',
  async run({ serverUrl, tokens: { good, bad } }, revision) {
    const checks = collectChecks()
    const accepted = await probe(serverUrl, revision, { token: good })
    const not = accepted.status === 200 ? undefined : `it is answered ${accepted.status}`
    checks.add('token-good', 'A good token is accepted', SPEC.authorization, not)

    const requests: Record<string, Probe> = {
      request: {},
      notification: { message: { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'none' } } },
      'empty credentials': { headers: { authorization: 'Bearer' } },
      'token in a cookie': { headers: { cookie: `access_token=${good}; authorization=Bearer%20${good}` } },
      ...(hasSessions(revision) ? { GET: { method: 'GET' }, DELETE: { method: 'DELETE' } } : {}),
    }
    for (const [name, sent] of Object.entries(requests)) {
      const answer = await probe(serverUrl, revision, sent)
      checks.add(
        `none-${slug(name)}`,
        `No token (${name}) is answered 401 Bearer`,
        SPEC.authorization,
        challenged(answer),
      )
      if (sent.headers !== undefined) continue
      const { error } = answer.challenge ?? {}
      const said = error === undefined ? undefined : `it has error="${error}"`
      const description = `Where no credentials were sent (${name}) the challenge has no error`
      checks.add(`none-${slug(name)}-error`, description, SPEC.challenge, said, 'should')
    }
    const query = `${serverUrl}?access_token=${encodeURIComponent(good)}`
    const inQuery = challenged(await probe(query, revision))
    checks.add('token-in-query', 'A token in the query is not taken', SPEC.authorization, inQuery)

    for (const [name, token] of Object.entries({ nonsense: 'nonsense', ...bad })) {
      const answer = await probe(serverUrl, revision, { token })
      checks.add(
        `bad-${slug(name)}`,
        `A token that is bad (${name}) is answered 401 Bearer`,
        SPEC.authorization,
        challenged(answer),
      )
      const error = answer.challenge?.error
      const said = error === 'invalid_token' ? undefined : `error is ${JSON.stringify(error)}`
      checks.add(`bad-${slug(name)}-error`, `The challenge says invalid_token (${name})`, SPEC.challenge, said)
      const leaked = JSON.stringify(answer.challenge ?? {}).includes(token)
        ? 'the challenge repeats the token'
        : undefined
      checks.add(
        `bad-${slug(name)}-silent`,
        `The challenge does not repeat the token (${name})`,
        SPEC.challenge,
        leaked,
      )
    }
    if (hasSessions(revision) && accepted.sessionId !== undefined) {
      const headers = { 'mcp-session-id': accepted.sessionId, 'mcp-protocol-version': revision }
      const message = { jsonrpc: '2.0', id: 2, method: 'tools/list', params: {} }
      const inSession = challenged(await probe(serverUrl, revision, { headers, message }))
      checks.add('session-without-token', 'A session is no credential', SPEC.authorization, inSession)
    }
    return checks.all
  },
}

/** What is wrong with a 401. */
export function challenged({ status, challenge }: ProbeAnswer): string | undefined {
  if (status !== 401) return `it is answered ${status}`
  if (challenge === undefined) return 'WWW-Authenticate has no Bearer challenge'
  const { scope = '', resource_metadata: metadata } = challenge
  if (metadata === undefined) return 'the challenge has no resource_metadata'
  return scope.split(' ').includes('offline_access') ? 'scope has offline_access' : undefined
}

function slug(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
}
