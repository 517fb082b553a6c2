/** Checks the external identities of a configuration. */
import { z } from 'zod'
import { check, joinPath, oneOrMore, recordOf, strict, text } from '../core/config.ts'
import type { ConfigProblem } from '../core/errors.ts'
import { suggest } from '../core/suggest.ts'
import { claimValueSchema } from '../jwt/claim-value-schema.ts'
import type { ExternalIdentity } from './external-identities.ts'

/** It becomes part of grants, where a star would stand for others. */
const NAME = /^[A-Za-z0-9][\w.-]{0,63}$/

const BELONGS = {
  subjectClaim: 'belongs to the integration: whoever a token speaks of is the same person by every rule',
  groupsClaim: 'belongs to the integration',
}

const schema = strict({
  integration: text,
  claims: recordOf(oneOrMore(claimValueSchema)).optional(),
  description: text.max(500, 'at most 500 characters').optional(),
})

/** Adds what is wrong with `configured`, by name, to `problems`. */
export function checkExternalIdentities(
  configured: unknown,
  at: string,
  integrations: readonly string[],
  problems: ConfigProblem[],
): void {
  if (configured === undefined || !check(z.record(z.string(), z.unknown()), configured, at, problems)) return
  for (const [name, value] of Object.entries(configured as object)) {
    const path = joinPath(at, [name])
    if (!NAME.test(name)) {
      const message = 'a name has 1 to 64 letters, digits, ".", "_" and "-", and begins with a letter or digit'
      problems.push({ path, message })
    }
    checkOne(value, path, integrations, problems)
  }
}

function checkOne(value: unknown, at: string, integrations: readonly string[], problems: ConfigProblem[]): void {
  let rest = value
  for (const [key, message] of Object.entries(BELONGS)) {
    if (typeof rest !== 'object' || rest === null || !Object.hasOwn(rest, key)) continue
    problems.push({ path: joinPath(at, [key]), message })
    const { [key]: _, ...others } = rest as Record<string, unknown>
    rest = others
  }
  if (!check(schema, rest, at, problems)) return
  const { integration, claims = {} } = rest as ExternalIdentity
  // zod passes over this key, and no provider has such a claim.
  if (Object.hasOwn(claims, '__proto__')) {
    problems.push({ path: joinPath(at, ['claims', '__proto__']), message: 'is not a claim' })
  }
  if (integrations.includes(integration)) return
  const message = `no integration named "${integration}"${suggest(integration, integrations)}`
  problems.push({ path: joinPath(at, ['integration']), message })
}
