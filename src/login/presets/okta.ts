/** Okta's custom authorization servers. */
import { text } from '../../core/config.ts'
import {
  audiences,
  checkOptions,
  clientOf,
  host,
  optionsSchema,
  type PresetOptions,
  type SignInIntegration,
} from './options.ts'

/** Options of {@link okta}. */
export interface OktaOptions extends PresetOptions {
  /** The host of the organisation: `example.okta.com`, or one of your own. */
  readonly domain: string
  /** The id of the authorization server; `default` by default, which Okta makes by itself. */
  readonly authorizationServer?: string
  /** What that server calls its audience; `api://default` by default, as on the server `default`. */
  readonly audience?: string | readonly string[]
}

const schema = optionsSchema({
  domain: host,
  authorizationServer: text
    .regex(/^[\w-]+$/, 'expected the id of an authorization server, such as "default"')
    .optional(),
  audience: audiences.optional(),
})

/**
 * Okta. Access tokens name the person in `uid`; their `sub` is the login name, which can change.
 *
 * ```ts
 * okta({ domain: 'example.okta.com', clientId: '…', clientSecret: { secret: 'env:OKTA_SECRET' } })
 * ```
 *
 * @throws ConfigError (`ERR_CONFIG`) for options that cannot be.
 */
export function okta(options: OktaOptions): SignInIntegration {
  checkOptions('okta', schema, options, ({ domain }, add) => {
    const admin = /^(.+)-admin(\.okta(?:preview|-emea)?\.com)$/i.exec(domain)
    if (admin !== null) add('domain', `"${domain}" is the admin console; write "${admin[1]}${admin[2]}"`)
  })
  const { domain, authorizationServer = 'default', audience = 'api://default' } = options
  return {
    issuer: `https://${domain.toLowerCase()}/oauth2/${authorizationServer}`,
    audience,
    jwtSource: 'access_token',
    subjectClaim: 'uid',
    oauth2: clientOf(options, ['openid', 'profile', 'email']),
  }
}
