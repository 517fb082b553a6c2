/** A client's credentials as they are configured, looked up when they are first needed and remembered. */
import { ConfigError } from '../core/errors.ts'
import { resolveSecret, type Secret, type SecretResolver } from '../core/secrets.ts'
import type { ClientAuthentication } from './client-authentication.ts'

/** What a configuration says. */
export interface ConfiguredCredentials {
  /** `client_secret_basic` where there is a secret, `private_key_jwt` where there is a key, else `none` by default. */
  readonly clientAuthentication?: ClientAuthentication['method'] | undefined
  readonly clientSecret?: Secret | undefined
  readonly privateKey?: Secret | undefined
  readonly privateKeyId?: string | undefined
}

/**
 * The credentials, always the same object. A failure is not remembered.
 *
 * The function throws SecretError (`ERR_SECRET`) where one cannot be looked up, ConfigError (`ERR_CONFIG`) where it is missing.
 */
export function rememberCredentials(
  configured: ConfiguredCredentials,
  secrets: SecretResolver | undefined,
): () => Promise<ClientAuthentication> {
  let known: Promise<ClientAuthentication> | undefined
  return () => {
    known ??= lookUp(configured, secrets).catch((error: unknown) => {
      known = undefined
      throw error
    })
    return known
  }
}

/** How a client proves who it is. */
export function methodOf({
  clientAuthentication,
  clientSecret,
  privateKey,
}: ConfiguredCredentials): ClientAuthentication['method'] {
  if (clientAuthentication !== undefined) return clientAuthentication
  return clientSecret !== undefined ? 'client_secret_basic' : privateKey !== undefined ? 'private_key_jwt' : 'none'
}

async function lookUp(
  { clientAuthentication, clientSecret, privateKey, privateKeyId }: ConfiguredCredentials,
  secrets: SecretResolver | undefined,
): Promise<ClientAuthentication> {
  const method = methodOf({ clientAuthentication, clientSecret, privateKey })
  if (method === 'none') return { method }
  if (method === 'private_key_jwt') {
    const key = await resolveSecret(privateKey ?? missing('privateKey'), secrets)
    return { method, key, ...(privateKeyId === undefined ? {} : { keyId: privateKeyId }) }
  }
  return { method, secret: await resolveSecret(clientSecret ?? missing('clientSecret'), secrets) }
}

function missing(what: string): never {
  throw new ConfigError([{ path: `oauth2.${what}`, message: 'required' }])
}
