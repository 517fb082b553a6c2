/** Auth0. */
import { text } from '../../core/config.ts'
import { checkOptions, clientOf, host, optionsSchema, type PresetOptions, type SignInIntegration } from './options.ts'

/** Options of {@link auth0}. */
export interface Auth0Options extends PresetOptions {
  /** The host of the tenant: `example.eu.auth0.com`, or one of your own. */
  readonly domain: string
  /** The identifier of an API: access tokens for it are judged. Without it ID tokens are, since others are no JWTs. */
  readonly audience?: string
  /** The claim that an Action of yours puts groups or roles into; names of claims there begin with a URL. */
  readonly groupsClaim?: string
}

const schema = optionsSchema({ domain: host, audience: text.optional(), groupsClaim: text.optional() })

/**
 * Auth0.
 *
 * ```ts
 * auth0({ domain: 'example.eu.auth0.com', audience: 'https://orders.example.com', clientId: '…', clientSecret: { secret: 'env:AUTH0_SECRET' } })
 * ```
 *
 * @throws ConfigError (`ERR_CONFIG`) for options that cannot be.
 */
export function auth0(options: Auth0Options): SignInIntegration {
  checkOptions('auth0', schema, options)
  const { domain, audience, groupsClaim, clientId, clientSecret } = options
  return {
    issuer: `https://${domain.toLowerCase()}/`,
    audience: audience ?? clientId,
    jwtSource: audience === undefined ? 'id_token' : 'access_token',
    ...(groupsClaim === undefined ? {} : { groupsClaim }),
    oauth2: {
      ...clientOf(options, ['openid', 'profile', 'email'], audience === undefined ? {} : { audience }),
      // What the dashboard sets a new application to.
      ...(clientSecret === undefined ? {} : { clientAuthentication: 'client_secret_post' }),
    },
  }
}
