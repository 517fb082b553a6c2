/** What can be wrong with an OAuth client in a configuration, whoever it is a client for: people who log in, or upstream servers. */
import { joinPath } from '../core/config.ts'
import type { Secret } from '../core/secrets.ts'
import { isSecureUrl, presentable } from '../net/fetch.ts'

/** What a client says of itself; its shape has been checked. */
export interface ConfiguredClient {
  readonly clientSecret?: Secret
  readonly clientAuthentication?: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none'
  readonly privateKey?: Secret
  readonly privateKeyId?: string
  readonly authorizationUrl?: string
  readonly tokenUrl?: string
  readonly authorizationParameters?: Readonly<Record<string, string>>
}

/** Is told what is wrong with a key of what is checked; `''` for the whole, `undefined` for nothing. */
export type AddProblem = (key: string, message: string | undefined) => void

/** Tells `add` what is wrong with a client: its endpoints, its secrets, and what it adds to authorization requests. */
export function checkClient(client: ConfiguredClient, add: AddProblem): void {
  const { authorizationUrl, tokenUrl, authorizationParameters = {} } = client
  if ((authorizationUrl === undefined) !== (tokenUrl === undefined)) {
    add(tokenUrl === undefined ? 'tokenUrl' : 'authorizationUrl', 'required: both endpoints, or neither')
  }
  checkClientSecrets(client, add)
  for (const parameter of Object.keys(authorizationParameters)) {
    if (OWN_PARAMETERS.has(parameter)) add(joinPath('authorizationParameters', [parameter]), 'is not for you to set')
  }
}

/** What is wrong with a URL that something is fetched from, or that people are sent to. */
export function urlProblem(url: string, allowInsecureHttp: boolean): string | undefined {
  if (hasUserInfo(url)) return USER_INFO
  if (isSecureUrl(url)) return undefined
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) return `"${presentable(url)}" is not a URL`
  return allowInsecureHttp ? undefined : 'must be https; to accept the risk, set allowInsecureHttp: true'
}

/** What is wrong with an issuer that is the address of its metadata (RFC 8414 §3, OpenID Connect Discovery §4). */
export function issuerProblem(issuer: string): string | undefined {
  const [metadata] = /\/\.well-known\/(?:openid-configuration|oauth-authorization-server)\/*$/.exec(issuer) ?? []
  if (metadata === undefined) return undefined
  return `this is where its metadata is; give the part before "${metadata}", as the "issuer" in there says it`
}

/** Said of a URL with a user name or password in it. */
export const USER_INFO = 'must not hold a user name or password, which nothing would send'

/** Whether a text is a URL with a user name or password in it. */
export function hasUserInfo(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { username, password } = new URL(text)
  return username !== '' || password !== ''
}

/** What is said in other ways, or must not be said at all. */
const OWN_PARAMETERS = new Set([
  'client_id',
  'client_secret',
  'redirect_uri',
  'response_type',
  'response_mode',
  'scope',
  'state',
  'nonce',
  'resource',
  'code_challenge',
  'code_challenge_method',
  'request',
  'request_uri',
])

/** Tells `add` what is wrong with a client's secrets: the method, and what it needs. */
export function checkClientSecrets(client: ConfiguredClient, add: AddProblem): void {
  const { clientSecret, privateKey, privateKeyId, clientAuthentication: method } = client
  if (clientSecret !== undefined && privateKey !== undefined) {
    add('', 'expected at most one of clientSecret and privateKey')
    return
  }
  if (method?.startsWith('client_secret')) {
    if (clientSecret === undefined) add('clientSecret', `required for ${method}`)
    if (privateKey !== undefined) add('privateKey', `does not go with ${method}`)
  }
  if (method === 'private_key_jwt') {
    if (privateKey === undefined) add('privateKey', `required for ${method}`)
    if (clientSecret !== undefined) add('clientSecret', `does not go with ${method}`)
  }
  if (method === 'none' && (clientSecret ?? privateKey) !== undefined) {
    add('clientAuthentication', 'a public client has neither clientSecret nor privateKey')
  }
  if (privateKeyId !== undefined && privateKey === undefined) add('privateKeyId', 'does nothing without privateKey')
}
