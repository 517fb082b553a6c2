/**
 * More scopes in mid-session: which to ask for when a server answers `insufficient_scope`, and when to stop asking (MCP 2026-07-28,
 * Step-Up Authorization Flow).
 */
import { readBearerChallenge } from '../oauth/challenge-parameters.ts'
import { splitScope, unionOf } from '../oauth/scopes.ts'
import type { StepUp } from './broker.ts'
import type { UpstreamTokens } from './tokens.ts'

/** Since the person connected the server. Each time somebody has to agree. */
const MAX_STEP_UPS = 10
/** More scopes than anybody reads. */
const MAX_SCOPES = 100

/**
 * The next step, if there is one: what was asked for before together with what the challenge wants. What has been asked for once
 * more and was not granted, or was granted and did not help, is not asked for again.
 *
 * @param scopes - what is asked for without a step
 */
export function stepUpFor(
  tokens: Pick<UpstreamTokens, 'scope' | 'requested' | 'stepUps'>,
  scopes: readonly string[],
  challenge: string,
): StepUp | undefined {
  const { error, scopes: wanted } = readBearerChallenge(challenge) ?? {}
  if (error !== 'insufficient_scope' || wanted === undefined) return undefined
  const { scope, requested = scopes, stepUps = 0 } = tokens
  if (stepUps >= MAX_STEP_UPS) return undefined
  const given = scope === undefined ? undefined : splitScope(scope, requested)
  const granted = given ?? requested
  const isGranted = wanted.every((each) => granted.includes(each))
  const wasAsked = wanted.every((each) => requested.includes(each))
  // Once more, for who has unticked a box: the first time counts as no step.
  if (isGranted || (wasAsked && stepUps > 0)) return undefined
  const all = unionOf(requested, given ?? [], wanted)
  return all.length > MAX_SCOPES ? undefined : { scopes: all, count: stepUps + 1 }
}
