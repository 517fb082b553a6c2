/** A token that is good for somebody else is no token here, whoever issued it (MCP, Token Audience Binding; RFC 8707 §2). */
import { challenged } from './challenges.ts'
import { probe } from './probe.ts'
import { type AuthorizationScenario, collectChecks, SPEC } from './scenario.ts'

/** See the top of the file. */
export const AUDIENCE: AuthorizationScenario = {
  name: 'authorization/audience',
  source: { introducedIn: '2025-06-18' },
  description: 'Tokens of the right issuer, alive and well, are refused where they are for another resource.',
  async run({ serverUrl, tokens: { good, otherAudience } }, revision) {
    const checks = collectChecks()
    const accepted = async (when: string) => {
      const { status } = await probe(serverUrl, revision, { token: good })
      const not = status === 200 ? undefined : `it is answered ${status}`
      checks.add(`audience-own-${when}`, `A token for this server is accepted (${when})`, SPEC.resource, not)
    }
    await accepted('before')
    for (const [name, token] of Object.entries(otherAudience)) {
      const id = `audience-${name.replace(/\W+/g, '-')}`
      const answer = await probe(serverUrl, revision, { token })
      checks.add(id, `A token for ${name} is answered 401`, SPEC.authorization, challenged(answer))
      const error = answer.challenge?.error
      const said = error === 'invalid_token' ? undefined : `error is ${JSON.stringify(error)}`
      checks.add(`${id}-error`, `The challenge says invalid_token (${name})`, SPEC.challenge, said)
    }
    // Whatever is remembered of a signature is not remembered of the audience.
    await accepted('after')
    return checks.all
  },
}
