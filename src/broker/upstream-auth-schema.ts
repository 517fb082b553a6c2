/** The shapes of a server's `auth`; what goes beyond shape is in `check-upstream-auth.ts`. */
import { z } from 'zod'
import { oneOrMore, secret, strict, text } from '../core/config.ts'
import { clientAuthenticationFields, scope } from '../identity/integration-schema.ts'

const secrets = z.record(z.string(), secret)
const resource = z.union([z.boolean(), text], { error: 'expected a URI, true or false' })
const tokenType = z.enum(['access_token', 'id_token', 'jwt'])
const grantClient = {
  clientId: text,
  ...clientAuthenticationFields,
  issuer: text.optional(),
  tokenUrl: text.optional(),
  allowInsecureHttp: z.boolean().optional(),
}
const grantTarget = { scopes: z.array(scope).optional(), resource: resource.optional() }

/** The forms of `auth`, by `type`. */
export const upstreamAuthSchemas = {
  none: strict({ type: z.literal('none') }),
  header: strict({
    type: z.literal('header'),
    headers: secrets,
    values: secrets.optional(),
    overrides: z.array(strict({ to: oneOrMore(text), values: secrets })).optional(),
  }),
  oauth2: strict({
    type: z.literal('oauth2'),
    clientId: text.optional(),
    ...clientAuthenticationFields,
    scopes: z.array(scope).optional(),
    issuer: text.optional(),
    metadataUrl: text.optional(),
    authorizationUrl: text.optional(),
    tokenUrl: text.optional(),
    revocationUrl: text.optional(),
    revocation: z.enum(['auto', 'never']).optional(),
    resource: resource.optional(),
    authorizationParameters: z.record(z.string(), z.string()).optional(),
    responseMode: z.enum(['query', 'form_post']).optional(),
    tokensIn: z
      .string()
      .regex(/^[A-Za-z][\w-]{0,63}$/, 'expected the name of a member, such as "authed_user"')
      .optional(),
    callbackPath: text.optional(),
    allowSharedCallback: z.boolean().optional(),
    allowInsecureHttp: z.boolean().optional(),
  }),
  passthrough: strict({ type: z.literal('passthrough'), audience: oneOrMore(text).optional() }),
  token_exchange: strict({
    type: z.literal('token_exchange'),
    ...grantClient,
    ...grantTarget,
    audience: oneOrMore(text).optional(),
    subjectTokenType: tokenType.optional(),
    requestedTokenType: tokenType.optional(),
  }),
  identity_assertion: strict({
    type: z.literal('identity_assertion'),
    ...grantClient,
    ...grantTarget,
    idp: strict(grantClient),
    subjectTokenType: tokenType.optional(),
  }),
  client_credentials: strict({
    type: z.literal('client_credentials'),
    ...grantClient,
    ...grantTarget,
    audience: text.optional(),
  }),
} as const
