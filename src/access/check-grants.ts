/** Checks the grants of a configuration: their shape, and that everybody and everything they name is there. */
import { z } from 'zod'
import { check, joinPath, oneOrMore, recordOf, strict } from '../core/config.ts'
import type { ConfigProblem } from '../core/errors.ts'
import { suggest } from '../core/suggest.ts'
import { VIRTUAL_ACCOUNT } from '../identity/identity.ts'
import { claimValueSchema } from '../jwt/claim-value-schema.ts'
import { compileGlob, globProblem } from '../match/glob.ts'
import { argumentKeyProblem } from './argument-rules.ts'
import type { Grant } from './grants.ts'
import { ANONYMOUS, QUALIFIED_KINDS } from './principals.ts'

/** The names that grants can be checked against. What is left out is not known yet, and names of that kind are not checked. */
export interface KnownNames {
  readonly integrations?: readonly string[]
  /** Ids of servers and of virtual servers. */
  readonly servers?: readonly string[]
  readonly virtualAccounts?: readonly string[]
  readonly externalIdentities?: readonly string[]
}

type Add = (message: string | undefined) => void

const glob = z
  .string()
  .min(1, 'must not be empty')
  .superRefine((value, context) => {
    const message = globProblem(value)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })
const listOf = (schema: z.ZodType) => z.array(schema).min(1, 'must not be empty')

const grantSchema = strict({
  to: oneOrMore(glob),
  on: oneOrMore(glob),
  role: z.enum(['use', 'manage', 'admin']).optional(),
  tools: listOf(glob).optional(),
  prompts: listOf(glob).optional(),
  resources: listOf(glob).optional(),
  arguments: recordOf(listOf(claimValueSchema)).optional(),
})

/** Adds what is wrong with `grants`, which are at `at` in the configuration, to `problems`. */
export function checkGrants(grants: unknown, at: string, known: KnownNames, problems: ConfigProblem[]): void {
  if (!check(z.array(z.unknown()), grants, at, problems)) return
  for (const [index, grant] of (grants as unknown[]).entries()) {
    const path = joinPath(at, [index])
    if (check(grantSchema, grant, path, problems)) checkGrant(grant as Grant, path, known, problems)
  }
}

/** Adds what is wrong with a principal, or pattern of principals, to `problems`. Its shape as a glob has been checked. */
export function checkPrincipal(pattern: string, path: string, known: KnownNames, problems: ConfigProblem[]): void {
  const add: Add = (message) => {
    if (message !== undefined) problems.push({ path, message })
  }
  if (pattern === ANONYMOUS) return
  const [kind = '', ...rest] = pattern.split(':')
  if (rest.length === 0) {
    add(kind.includes('*') ? EVERYBODY : `"${pattern}" is nobody${suggest(pattern, [ANONYMOUS])}; ${FORMS}`)
    return
  }
  const name = rest.join(':')
  if (QUALIFIED_KINDS.has(kind)) add(qualifiedProblem(kind, name, known.integrations))
  else if (kind === 'virtual-account') add(absence(name, 'virtual account', known.virtualAccounts))
  else if (kind === 'external-identity') add(absence(name, 'external identity', known.externalIdentities))
  else add(`unknown kind "${kind}"${suggest(kind, KINDS)}; ${FORMS}`)
}

const KINDS = [...QUALIFIED_KINDS, 'virtual-account', 'external-identity', ANONYMOUS]
const FORMS = `expected ${[...QUALIFIED_KINDS].map((kind) => `"${kind}:<integration>/<name>"`).join(', ')}, "virtual-account:<name>", "external-identity:<name>" or "${ANONYMOUS}"`
const EVERYBODY = `a star does not stand for everybody; write "${ANONYMOUS}" for that, with or without credentials, or "user:<integration>/*" for the people of one integration`

function checkGrant(grant: Grant, path: string, known: KnownNames, problems: ConfigProblem[]): void {
  const add = (key: string, message: string | undefined) => {
    if (message !== undefined) problems.push({ path: `${path}.${key}`, message })
  }
  const each = (key: 'to' | 'on', tell: (pattern: string, at: string) => void) => {
    const patterns = grant[key]
    if (typeof patterns === 'string') tell(patterns, `${path}.${key}`)
    else for (const [index, pattern] of patterns.entries()) tell(pattern, `${path}.${key}[${index}]`)
  }
  each('to', (pattern, at) => checkPrincipal(pattern, at, known, problems))
  each('on', (pattern, at) => {
    const message = absence(pattern, 'server', known.servers)
    if (message !== undefined) problems.push({ path: at, message })
  })

  const { to, role = 'use', arguments: rules } = grant
  const narrowed = (['tools', 'prompts', 'resources'] as const).filter((key) => grant[key] !== undefined)
  if (role !== 'use') {
    if (narrowed.length > 0) add('role', `"${role}" is for a whole server; leave out ${narrowed.join(', ')}, or it`)
    if ([to].flat().includes(ANONYMOUS)) add('role', `"${role}" is not for everybody`)
  }
  if (rules === undefined) return
  if (grant.tools === undefined) add('arguments', "goes with tools: name the tools whose arguments these are, or ['*']")
  for (const key of Object.keys(rules)) add(joinPath('arguments', [key]), argumentKeyProblem(key))
}

/** What is wrong with the integration and name of somebody at an integration. */
function qualifiedProblem(kind: string, text: string, known: readonly string[] | undefined): string | undefined {
  const slash = text.indexOf('/')
  if (slash < 1 || slash === text.length - 1) {
    const [integration = '<integration>'] = known ?? []
    const isName = slash < 0 && text !== '' && known?.includes(text) !== true
    return `expected "${kind}:<integration>/<name>"${isName ? `; for example "${kind}:${integration}/${text}"` : ''}`
  }
  const integration = text.slice(0, slash)
  if (integration.includes('*')) return `"${integration}": an integration is written out, without stars`
  if (known === undefined) return undefined
  if (integration === VIRTUAL_ACCOUNT) return kind === 'group' ? undefined : `expected "${VIRTUAL_ACCOUNT}:<name>"`
  if (known.includes(integration)) return undefined
  const slashed = known.find((name) => name.includes('/') && text.startsWith(`${name}/`))
  if (slashed !== undefined) return `"${slashed}": an integration with a "/" in its name can have no grants`
  return `no integration named "${integration}"${suggest(integration, known)}`
}

/** What is wrong with a name, or a pattern of names, that must be among the known ones. */
function absence(name: string, what: string, known: readonly string[] | undefined): string | undefined {
  if (name === '') return `expected the name of a ${what}`
  if (known === undefined || known.some(compileGlob(name))) return undefined
  if (name.includes('*')) return `"${name}" matches no ${what}${suggest(name, known)}`
  return `no ${what} named "${name}"${suggest(name, known)}`
}
