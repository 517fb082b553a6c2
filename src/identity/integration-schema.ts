/** The shapes of an integration's configuration; what goes beyond shape is in `check-integrations.ts`. */
import { z } from 'zod'
import { secret, strict, text } from '../core/config.ts'
import { ALGORITHMS } from '../jwt/algorithms.ts'

const seconds = (max: number) => z.number().min(0, 'must not be negative').max(max, `at most ${max}`)

export const integrationSchema = strict({
  issuer: text,
  tenants: z.array(text).min(1, 'must not be empty').optional(),
  metadataUrl: text.optional(),
  jwksUri: text.optional(),
  audience: z.union([text, z.array(text).min(1), z.null()], {
    error: (issue) =>
      issue.input === undefined
        ? 'required: the audience that tokens must be made for, or null, typed out, for "not checked"'
        : 'expected a text, a list of texts, or null',
  }),
  audienceClaim: text.optional(),
  jwtSource: z.enum(['access_token', 'id_token']).optional(),
  algorithms: z
    .array(z.enum(ALGORITHMS as [string, ...string[]]))
    .min(1, 'must not be empty')
    .optional(),
  subjectClaim: z
    .union([text, z.array(text).min(1)], { error: 'expected the name of a claim, or a list of them' })
    .optional(),
  groupsClaim: text.optional(),
  clockToleranceSeconds: seconds(300).optional(),
  allowInsecureHttp: z.boolean().optional(),
  keys: strict({
    maxAgeSeconds: z.number().min(1).max(86_400).optional(),
    ceilingSeconds: z.number().min(1).max(604_800).optional(),
    timeoutMs: z.number().min(1).max(60_000).optional(),
  }).optional(),
  oauth2: z.unknown().optional(),
})

/** RFC 6749 §3.3 */
export const scope = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'not a scope (RFC 6749 §3.3)')

/** How a client authenticates (RFC 6749 §2.3, RFC 7523). */
export const clientAuthenticationFields = {
  clientSecret: secret.optional(),
  clientAuthentication: z.enum(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none']).optional(),
  privateKey: secret.optional(),
  privateKeyId: text.optional(),
}

export const oauth2Schema = strict({
  clientId: text,
  ...clientAuthenticationFields,
  scopes: z.array(scope).optional(),
  resource: text.optional(),
  authorizationUrl: text.optional(),
  tokenUrl: text.optional(),
  userInfoUrl: text.optional(),
  revocationUrl: text.optional(),
  endSessionUrl: text.optional(),
  authorizationParameters: z.record(z.string(), z.string()).optional(),
  responseMode: z.enum(['query', 'form_post']).optional(),
  pushedAuthorizationRequests: z.enum(['auto', 'never']).optional(),
  revocation: z.enum(['auto', 'never']).optional(),
  userInfo: z.boolean().optional(),
  logoutReturnParameter: text.optional(),
  label: text.optional(),
})
