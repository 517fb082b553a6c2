/** Keycloak. */
import { z } from 'zod'
import {
  audiences,
  checkOptions,
  clientOf,
  optionsSchema,
  type PresetOptions,
  type SignInIntegration,
} from './options.ts'

/** Options of {@link keycloak}. */
export interface KeycloakOptions extends PresetOptions {
  /** Where Keycloak is: `https://sso.example.com`; up to version 16 with `/auth` behind it. */
  readonly url: string
  /** The name of the realm. */
  readonly realm: string
  /** What an audience mapper puts into `aud`. Without it, tokens must have been made for this client (`azp`). */
  readonly audience?: string | readonly string[]
}

const schema = optionsSchema({
  url: z
    .string()
    .refine(
      (url) => /^https?:\/\/[^/?#@\s]+(?:\/[^?#\s]*)?$/.test(url) && URL.canParse(url),
      'expected a URL without query, such as "https://sso.example.com"',
    )
    .refine((url) => !/\/realms\/[^/]+\/*$/.test(url), 'give the part before "/realms/": the realm has its own option'),
  realm: z.string().regex(/^[^/?#]+$/, 'expected the name of a realm'),
  audience: audiences.optional(),
})

/**
 * A realm of Keycloak. Access tokens have `account` in `aud` by default, which says nothing about your service.
 *
 * ```ts
 * keycloak({ url: 'https://sso.example.com', realm: 'staff', clientId: 'orders', clientSecret: { secret: 'env:KEYCLOAK_SECRET' } })
 * ```
 *
 * @throws ConfigError (`ERR_CONFIG`) for options that cannot be.
 */
export function keycloak(options: KeycloakOptions): SignInIntegration {
  checkOptions('keycloak', schema, options)
  const { url, realm, audience, clientId } = options
  return {
    issuer: `${url.replace(/\/+$/, '')}/realms/${encodeURIComponent(realm)}`,
    ...(audience === undefined ? { audience: clientId, audienceClaim: 'azp' } : { audience }),
    jwtSource: 'access_token',
    groupsClaim: 'groups',
    oauth2: clientOf(options, ['openid', 'profile', 'email']),
  }
}
