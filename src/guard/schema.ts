/** The shapes of the guard's configuration, part by part; what goes beyond shape is in `check-config.ts`. */
import { z } from 'zod'
import { callable, oneOrMore, recordOf, secret, strict, text } from '../core/config.ts'
import { networkProblem } from '../core/networks.ts'
import { claimValueSchema } from '../jwt/claim-value-schema.ts'

/** RFC 9110 §9.1: a token; the methods that exist are upper case. */
const method = z.string().regex(/^[A-Z][A-Z-]*$/, 'expected a method in upper case, such as "GET"')
const seconds = (max: number) => z.number().min(0, 'must not be negative').max(max, `at most ${max}`)
const wholeNumber = z.number().refine(Number.isInteger, 'must be a whole number')
const count = wholeNumber.min(0, 'must not be negative')
const network = z.string().superRefine((value, context) => {
  const message = networkProblem(value)
  if (message !== undefined) context.addIssue({ code: 'custom', message })
})

export const guardSchema = strict({
  routes: z.array(z.unknown()).min(1, 'must not be empty; without routes everything is answered 404'),
  integrations: z.record(z.string(), z.unknown()).optional(),
  domains: z.array(text).optional(),
  internalNetworks: z.array(network).optional(),
  trustProxy: z.array(network).optional(),
  caseSensitive: z.boolean().optional(),
  unmatched: z.enum(['deny', 'skip']).optional(),
  unauthenticated: z.literal([401, 403]).optional(),
  login: z.unknown().optional(),
  secrets: callable.optional(),
  // The cache's tables are made at once in their full length.
  tokenCache: strict({
    maxEntries: count.max(10_000_000, 'at most 10000000').optional(),
    maxBytes: count.optional(),
  }).optional(),
  fetch: callable.optional(),
  clock: z.custom((value) => typeof (value as { now?: unknown })?.now === 'function', 'expected { now() }').optional(),
})

const routeParts = {
  name: text.optional(),
  host: text.optional(),
  path: text.optional(),
  port: wholeNumber.min(1, 'must be from 1 to 65535').max(65_535, 'must be from 1 to 65535').optional(),
  methods: z.array(method).min(1, 'must not be empty').optional(),
  exposed: z.boolean().optional(),
}

const basicUser = strict({ username: z.string(), password: secret.optional(), passwordHash: secret.optional() })

/** The forms of `auth`, by `type`. */
export const authSchemas = {
  none: strict({ type: z.literal('none') }),
  basic: strict({
    type: z.literal('basic'),
    username: z.string().optional(),
    password: secret.optional(),
    passwordHash: secret.optional(),
    users: z.array(basicUser).min(1, 'must not be empty').optional(),
    htpasswd: secret.optional(),
    verify: callable.optional(),
    realm: text.optional(),
    cacheSeconds: seconds(600).optional(),
  }),
  jwt: strict({
    type: z.literal('jwt'),
    integration: oneOrMore(text),
    claims: recordOf(oneOrMore(claimValueSchema)).optional(),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'not a scope (RFC 6749 §3.3)'))
      .min(1)
      .optional(),
    cookie: z
      .string()
      .regex(/^[!#$%&'*+.^_`|~\w-]+$/, 'not a cookie name (RFC 6265 §4.1.1)')
      .optional(),
    login: z.boolean().optional(),
    unauthenticated: z.literal([401, 403]).optional(),
  }),
} as const

/** A route with anything as its `auth`; that is checked by {@link authSchemas}. */
export const routeSchema = strict({ ...routeParts, auth: z.unknown().optional() })
