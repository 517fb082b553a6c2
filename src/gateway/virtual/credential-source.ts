/**
 * What the credential of a call to a member comes from: the account, the key, or what the caller's own token says of them. It stays
 * the same when a token is renewed. What a member has told with one, or has begun with it, is for no other.
 */
import { createHash } from 'node:crypto'
import type { Caller } from '../../identity/caller.ts'
import type { VirtualContext } from './context.ts'
import type { LiveMember } from './live.ts'
import type { CredentialFields } from './member-credential.ts'

const auths = new WeakMap<object, string>()
const tellings = new WeakMap<object, string>()

/** A name for it, without a secret in clear. */
export function sourceOf({ asker }: VirtualContext, member: LiveMember, found: CredentialFields): string {
  const { credential: kind, headers } = found
  switch (kind) {
    case 'oauth2':
      return `${kind} ${authOf(member)} ${found.connection} ${besideToken(headers)}`
    case 'client_credentials':
      return `${kind} ${authOf(member)} ${besideToken(headers)}`
    case 'passthrough':
    case 'token_exchange':
    case 'identity_assertion':
      return `${kind} ${authOf(member)} ${tellingOf(asker.caller)} ${besideToken(headers)}`
    default:
      return `${kind} ${authOf(member)} ${fieldsOf(headers)}`
  }
}

/** A digest of how a server is called, as configured. */
export function authOf({ server: { config } }: LiveMember): string {
  const known = auths.get(config)
  if (known !== undefined) return known
  const made = digest(config.auth)
  auths.set(config, made)
  return made
}

/** What the caller sends itself beside a token that goes by. */
function besideToken(headers: CredentialFields['headers']): string {
  const { authorization: _, ...others } = headers
  return fieldsOf(others)
}

function fieldsOf(headers: CredentialFields['headers']): string {
  for (const _ in headers) return digest(headers)
  return ''
}

/** What a token says of its caller, as all tokens of the same sign-in do that are good for the same. */
function tellingOf({ identity }: Caller): string {
  const { claims } = identity
  const known = tellings.get(claims)
  if (known !== undefined) return known
  const made = digest(Object.entries(claims).filter(([name]) => !OF_ONE_TOKEN.has(name)))
  tellings.set(claims, made)
  return made
}

/** Claims that are others in each token (RFC 7519 §4.1, OpenID Connect Core §2, Microsoft Entra). */
const OF_ONE_TOKEN: ReadonlySet<string> = new Set([
  ...['exp', 'nbf', 'iat', 'jti', 'auth_time', 'nonce', 'at_hash', 'c_hash'],
  ...['aio', 'rh', 'uti'],
])

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url')
}
