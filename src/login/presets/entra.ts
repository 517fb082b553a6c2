/** Microsoft Entra ID (formerly Azure Active Directory). */
import { z } from 'zod'
import { text } from '../../core/config.ts'
import { isGuid } from '../../jwt/registered-claims.ts'
import {
  audiences,
  checkOptions,
  clientOf,
  optionsSchema,
  type PresetOptions,
  type SignInIntegration,
} from './options.ts'

/** Options of {@link entra}. */
export interface EntraOptions extends PresetOptions {
  /**
   * The id of the tenant, a GUID; `organizations` for work and school accounts of several tenants; `common` for personal
   * accounts too. The latter two say what the sign-in page offers; who may come in is said by `allowedTenants`.
   */
  readonly tenant: string
  /** With `common` and `organizations`: the ids of the tenants whose people may come in; `['*']` for all there are. */
  readonly allowedTenants?: readonly string[]
  /** Which token is judged: `id_token`, or `access_token` for an API of your own. The latter by default with `tokenVersion: 1`. */
  readonly jwtSource?: 'access_token' | 'id_token'
  /**
   * The version of the tokens, 2 by default. An API gets access tokens of version 1 unless its manifest says otherwise
   * (`requestedAccessTokenVersion`, formerly `accessTokenAcceptedVersion`).
   */
  readonly tokenVersion?: 1 | 2
  /** With access tokens: the API that they must be for, in version 2 always its client id. The client itself by default. */
  readonly audience?: string | readonly string[]
}

const LOGIN = 'https://login.microsoftonline.com'
/** Entra's words for several tenants at once. */
const SEVERAL: readonly string[] = ['common', 'organizations']
const guid = z.string().refine(isGuid, 'expected a GUID, such as "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"')

const schema = optionsSchema({
  tenant: text,
  clientId: guid,
  allowedTenants: z
    .array(z.string().refine((id) => id === '*' || isGuid(id), 'is neither a GUID nor "*"'))
    .min(1, 'must not be empty')
    .optional(),
  jwtSource: z.enum(['access_token', 'id_token']).optional(),
  tokenVersion: z.literal([1, 2]).optional(),
  audience: audiences.optional(),
})

/**
 * Microsoft Entra ID. A person is `tid` and `oid` together: those are the same for every client, and `sub` is not.
 *
 * ```ts
 * entra({ tenant: '8eaef023-2b34-4da1-9baa-8bc8c9d6a490', clientId: '…', clientSecret: { secret: 'env:ENTRA_SECRET' } })
 * entra({ tenant: 'organizations', allowedTenants: ['8eaef023-…', '82229342-…'], clientId: '…', clientSecret: '…' })
 * ```
 *
 * @throws ConfigError (`ERR_CONFIG`) for options that cannot be.
 */
export function entra(options: EntraOptions): SignInIntegration {
  checkOptions('entra', schema, options, checkTogether)
  const { tokenVersion = 2 } = options
  // Tokens have all of them in lower case.
  const clientId = options.clientId.toLowerCase()
  const jwtSource = sourceOf(options)
  const tenant = options.tenant.toLowerCase()
  const several = SEVERAL.includes(tenant)
  const inIssuer = several ? '{tenantid}' : tenant
  const audience = jwtSource === 'id_token' ? clientId : (options.audience ?? ownAudience(clientId, tokenVersion))
  const api = [audience].flat()[0] ?? clientId
  const scopes = ['openid', 'profile', 'email']
  return {
    issuer: tokenVersion === 1 ? `https://sts.windows.net/${inIssuer}/` : `${LOGIN}/${inIssuer}/v2.0`,
    ...(several ? { tenants: (options.allowedTenants ?? []).map((each) => each.toLowerCase()) } : {}),
    // Elsewhere it is where the issuer says.
    ...(several || tokenVersion === 1 ? { metadataUrl: metadataUrl(tenant, tokenVersion) } : {}),
    audience,
    jwtSource,
    subjectClaim: ['tid', 'oid'],
    oauth2: {
      // Of version 2, the scopes say which API an access token is for; of version 1, `resource` does.
      ...clientOf(
        { ...options, clientId },
        jwtSource === 'id_token' || tokenVersion === 1 ? scopes : [...scopes, `${api}/.default`],
      ),
      ...(options.clientSecret === undefined ? {} : { clientAuthentication: 'client_secret_post' }),
      ...(jwtSource === 'access_token' && tokenVersion === 1 ? { resource: api } : {}),
    },
  }
}

function sourceOf({ jwtSource, tokenVersion }: EntraOptions): 'access_token' | 'id_token' {
  return jwtSource ?? (tokenVersion === 1 ? 'access_token' : 'id_token')
}

/** An API that is the client itself. Version 1 has the name that the token was asked for by, version 2 the id always. */
function ownAudience(clientId: string, tokenVersion: 1 | 2): string | string[] {
  return tokenVersion === 1 ? [clientId, `api://${clientId}`] : clientId
}

function metadataUrl(tenant: string, tokenVersion: 1 | 2): string {
  return `${LOGIN}/${tenant}${tokenVersion === 1 ? '' : '/v2.0'}/.well-known/openid-configuration`
}

function checkTogether(options: EntraOptions, add: (option: string, message: string) => void): void {
  const { tenant, allowedTenants, audience, scopes } = options
  if (SEVERAL.includes(tenant.toLowerCase())) {
    if (allowedTenants === undefined) {
      add('allowedTenants', `required with "${tenant}": the ids of tenants; or ['*'], typed out, for all there are`)
    } else if (allowedTenants.includes('*') && allowedTenants.length > 1) {
      add('allowedTenants', '"*" stands for all tenants; leave the others out, or it')
    }
  } else if (!isGuid(tenant)) {
    // Its metadata and its tokens have the id in their issuer.
    const where = /^[\w.-]+$/.test(tenant) ? `; it is in the "issuer" at ${metadataUrl(tenant, 2)}` : ''
    add('tenant', `"${tenant}" is neither a tenant's id, a GUID, nor "common" or "organizations"${where}`)
  } else if (allowedTenants !== undefined) add('allowedTenants', 'goes with "common" and "organizations" only')

  if (audience !== undefined && sourceOf(options) === 'id_token') {
    add('audience', "goes with jwtSource: 'access_token'; ID tokens are always for the client")
  }
  if (scopes?.includes('profile') === false) {
    add('scopes', 'must have "profile": without it tokens have neither tid nor oid, which name the person')
  }
}
