/**
 * Upstream auth `header` (G7): the same header fields for all callers, or other values for some of them. Secrets of one caller
 * that cannot be looked up do not stand in the way of others.
 */
import { isPrincipal } from '../access/principals.ts'
import type { Clock } from '../core/clock.ts'
import { ConfigError, messageOf, SecretError } from '../core/errors.ts'
import type { Secret, SecretResolver } from '../core/secrets.ts'
import { fieldValueProblem } from '../http/field.ts'
import { parseTemplate } from './header-template.ts'
import { createLiveSecret, type LiveSecret } from './live-secret.ts'
import { foldFieldName } from './reserved-fields.ts'
import type { HeaderUpstreamAuth } from './upstream-auth.ts'

/** See the top of the file. */
export interface HeaderAuth {
  /** The fields, as `foldFieldName` has them. */
  readonly names: ReadonlySet<string>
  /**
   * The fields for a caller, names in lower case, but for those whose folded name is in `without`.
   *
   * @throws SecretError (`ERR_SECRET`) where a secret that is needed cannot be had, or not be in a header field
   */
  fieldsFor(principals: readonly string[], without: ReadonlySet<string>): Promise<Record<string, string>>
  /** Looks up all secrets; the messages of those that cannot be had. */
  missing(): Promise<string[]>
}

/** What {@link createHeaderAuth} works with. */
export interface HeaderAuthSettings {
  readonly secrets: SecretResolver | undefined
  readonly clock: Clock
}

type Values = ReadonlyMap<string, LiveSecret>

/** A text as it is, a secret for everybody, or the placeholder for one. */
type Part = { readonly text: string } | { readonly secret: LiveSecret } | { readonly placeholder: string }

/**
 * Nothing is looked up yet.
 *
 * @throws ConfigError (`ERR_CONFIG`) for a placeholder without a value, which `checkUpstreamAuth` finds earlier
 */
export function createHeaderAuth(auth: HeaderUpstreamAuth, settings: HeaderAuthSettings): HeaderAuth {
  const { secrets, clock } = settings
  const references = new Map<string, LiveSecret>()
  const texts: LiveSecret[] = []

  /** A reference is looked up once, wherever it is used. */
  function live(secret: Secret): LiveSecret {
    const before = typeof secret === 'string' ? undefined : references.get(secret.secret)
    if (before !== undefined) return before
    const made = createLiveSecret(secret, secrets, clock)
    if (typeof secret === 'string') texts.push(made)
    else references.set(secret.secret, made)
    return made
  }
  const liveAll = (values: Readonly<Record<string, Secret>>): Values =>
    new Map(Object.entries(values).map(([name, secret]) => [name, live(secret)]))

  const shared = liveAll(auth.values ?? {})
  const overrides = (auth.overrides ?? []).map(({ to, values }) => ({ to: [to].flat(), values: liveAll(values) }))
  const fields = Object.entries(auth.headers).map(([name, value]) => {
    const parts: Part[] = typeof value === 'string' ? parseTemplate(value) : [{ secret: live(value) }]
    for (const part of parts) {
      if ('placeholder' in part && !shared.has(part.placeholder)) {
        throw new ConfigError([{ path: `values.${part.placeholder}`, message: `required by the header "${name}"` }])
      }
    }
    return { name: name.toLowerCase(), folded: foldFieldName(name), parts }
  })
  const chosen = new WeakMap<readonly string[], Values>()

  /** The values of the placeholders for a caller: of each, that of the first override to them which has it. */
  function valuesFor(principals: readonly string[]): Values {
    if (overrides.length === 0) return shared
    const before = chosen.get(principals)
    if (before !== undefined) return before
    const values = new Map(shared)
    // The last first, so that the first is what stays.
    for (const { to, values: others } of overrides.toReversed()) {
      const isTheirs = to.some((pattern) => principals.some((principal) => isPrincipal(principal, pattern)))
      if (isTheirs) for (const [name, secret] of others) values.set(name, secret)
    }
    // A list that can still change is not known by its identity.
    if (Object.isFrozen(principals)) chosen.set(principals, values)
    return values
  }

  async function compose(parts: readonly Part[], values: Values): Promise<string> {
    let result = ''
    for (const part of parts) {
      if ('text' in part) {
        result += part.text
        continue
      }
      const text = ('secret' in part ? part.secret : values.get(part.placeholder))?.read() ?? ''
      result += typeof text === 'string' ? text : await text
    }
    return result
  }

  return {
    names: new Set(fields.map(({ folded }) => folded)),
    async fieldsFor(principals, without) {
      const values = valuesFor(principals)
      const result: Record<string, string> = {}
      for (const { name, folded, parts } of fields) {
        if (without.has(folded)) continue
        const value = await compose(parts, values)
        const problem = fieldValueProblem(value)
        if (problem !== undefined) throw new SecretError(`the value of the header "${name}" ${problem}`)
        result[name] = value
      }
      return result
    },
    async missing() {
      const results = await Promise.allSettled([...references.values(), ...texts].map((secret) => secret.load()))
      return results.flatMap((result) => (result.status === 'rejected' ? [messageOf(result.reason)] : []))
    },
  }
}
