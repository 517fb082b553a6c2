/** Amazon Cognito user pools. */
import { z } from 'zod'
import { checkOptions, clientOf, host, optionsSchema, type PresetOptions, type SignInIntegration } from './options.ts'

/** Options of {@link cognito}. */
export interface CognitoOptions extends PresetOptions {
  /** The AWS region of the user pool: `eu-west-1`. */
  readonly region: string
  /** The id of the user pool, region included: `eu-west-1_AbCdEfGhI`. */
  readonly userPoolId: string
  /**
   * The host of the pool's sign-in pages: `orders.auth.eu-west-1.amazoncognito.com` or one of your own. With it, signing out
   * ends the session at Cognito too.
   */
  readonly domain?: string
  /** Which token is judged; `access_token` by default. Access tokens have groups and scopes, but no e-mail address. */
  readonly jwtSource?: 'access_token' | 'id_token'
}

const schema = optionsSchema({
  region: z.string().regex(/^[a-z]{2}(?:-[a-z]+)+-\d+$/, 'expected the id of a region, such as "eu-west-1"'),
  userPoolId: z
    .string()
    .regex(/^[\w-]+_[0-9a-zA-Z]+$/, 'expected the id of a user pool, such as "eu-west-1_AbCdEfGhI"'),
  domain: host.optional(),
  jwtSource: z.enum(['access_token', 'id_token']).optional(),
})

/**
 * An Amazon Cognito user pool. Its access tokens have no `aud`; the client that they were made for is in `client_id`.
 *
 * ```ts
 * cognito({ region: 'eu-west-1', userPoolId: 'eu-west-1_AbCdEfGhI', clientId: '…', clientSecret: { secret: 'env:COGNITO_SECRET' } })
 * ```
 *
 * @throws ConfigError (`ERR_CONFIG`) for options that cannot be.
 */
export function cognito(options: CognitoOptions): SignInIntegration {
  checkOptions('cognito', schema, options, ({ region, userPoolId }, add) => {
    if (!userPoolId.startsWith(`${region}_`)) add('userPoolId', `"${userPoolId}" is not a user pool of ${region}`)
  })
  const { region, userPoolId, clientId, domain, jwtSource = 'access_token' } = options
  return {
    issuer: `https://cognito-idp.${region}.amazonaws.com/${userPoolId}`,
    audience: clientId,
    ...(jwtSource === 'access_token' ? { audienceClaim: 'client_id' } : {}),
    jwtSource,
    groupsClaim: 'cognito:groups',
    oauth2: {
      ...clientOf(options, ['openid', 'email']),
      ...(domain === undefined ? {} : { endSessionUrl: `https://${domain.toLowerCase()}/logout` }),
      logoutReturnParameter: 'logout_uri',
    },
  }
}
