/** Google accounts, personal and of Google Workspace. */
import { secret } from '../../core/config.ts'
import type { Secret } from '../../core/secrets.ts'
import { checkOptions, clientOf, host, optionsSchema, type PresetOptions, type SignInIntegration } from './options.ts'

/** Options of {@link google}. */
export interface GoogleOptions extends PresetOptions {
  /** Google's web clients have one always. */
  readonly clientSecret: Secret
  /**
   * The domain of a Google Workspace: Google then offers its accounts only (`hd` on the authorization request). People can
   * take that off, so the route needs the claim rule `{ hd: 'example.com' }` as well.
   */
  readonly hostedDomain?: string
}

const schema = optionsSchema({ clientSecret: secret, hostedDomain: host.optional() })

/**
 * Google. Its access tokens are for Google's own APIs and no JWTs, so ID tokens are judged.
 *
 * ```ts
 * const integrations = { google: google({ clientId: '….apps.googleusercontent.com', clientSecret: { secret: 'env:GOOGLE_SECRET' } }) }
 * const auth = { type: 'jwt', integration: 'google', login: true, claims: { hd: 'example.com' } }
 * ```
 *
 * @throws ConfigError (`ERR_CONFIG`) for options that cannot be.
 */
export function google(options: GoogleOptions): SignInIntegration {
  checkOptions('google', schema, options)
  const { clientId, hostedDomain } = options
  return {
    issuer: 'https://accounts.google.com',
    audience: clientId,
    jwtSource: 'id_token',
    oauth2: {
      ...clientOf(options, ['openid', 'email'], hostedDomain === undefined ? {} : { hd: hostedDomain }),
      // With any one token Google revokes all that the person has given this client: other browsers, other devices.
      revocation: 'never',
    },
  }
}
