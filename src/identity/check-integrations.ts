/** Checks the integrations of a configuration beyond their shape. */
import { check, joinPath } from '../core/config.ts'
import type { ConfigProblem } from '../core/errors.ts'
import { hasTenants } from '../jwt/registered-claims.ts'
import { isSecureUrl } from '../net/fetch.ts'
import type { Integration, OAuth2 } from './integration.ts'
import { integrationSchema, oauth2Schema } from './integration-schema.ts'

/** Adds what is wrong with `integrations` to `problems`. */
export function checkIntegrations(integrations: unknown, problems: ConfigProblem[]): void {
  if (typeof integrations !== 'object' || integrations === null) return
  for (const [name, value] of Object.entries(integrations)) {
    const at = joinPath('integrations', [name])
    if (!check(integrationSchema, value, at, problems)) continue
    const integration = value as Integration
    const add = (key: string, message: string | undefined) => {
      if (message !== undefined) problems.push({ path: `${at}.${key}`, message })
    }
    const oauth2 = checkOAuth2(name, integration, at, problems)
    // Where the endpoints are neither written out nor at another place, they are looked for at the issuer.
    const looked = oauth2 !== undefined && oauth2.authorizationUrl === undefined
    const { issuer, jwksUri, metadataUrl, allowInsecureHttp = false } = integration
    const fetched = metadataUrl === undefined && (jwksUri === undefined || looked)
    add('issuer', fetched ? urlProblem(issuer, allowInsecureHttp) : nameProblem(issuer))
    if (jwksUri !== undefined) add('jwksUri', urlProblem(jwksUri, allowInsecureHttp))
    if (metadataUrl !== undefined) add('metadataUrl', urlProblem(metadataUrl, allowInsecureHttp))
    checkTenants(integration, fetched, add)
    if (integration.audienceClaim !== undefined && integration.audience === null) {
      add('audienceClaim', 'does nothing with audience: null; leave one out')
    }
    const { maxAgeSeconds = 600, ceilingSeconds = 21_600 } = integration.keys ?? {}
    if (ceilingSeconds < maxAgeSeconds) add('keys.ceilingSeconds', `must not be below maxAgeSeconds (${maxAgeSeconds})`)
  }
}

type Add = (key: string, message: string | undefined) => void

/** What is wrong with a URL that something is fetched from, or that people are sent to. */
function urlProblem(url: string, allowInsecureHttp: boolean): string | undefined {
  if (hasUserInfo(url)) return USER_INFO
  if (isSecureUrl(url)) return undefined
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) return `"${url}" is not a URL`
  return allowInsecureHttp ? undefined : 'must be https; to accept the risk, set allowInsecureHttp: true'
}

/** What is wrong with an issuer that is only compared. RFC 7519 §2: any text, and a URI where there is a colon in it. */
function nameProblem(issuer: string): string | undefined {
  if (hasUserInfo(issuer)) return USER_INFO
  return issuer.includes(':') && !URL.canParse(issuer) ? `"${issuer}" is not a URL` : undefined
}

const USER_INFO = 'must not hold a user name or password, which nothing would send'

function hasUserInfo(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { username, password } = new URL(text)
  return username !== '' || password !== ''
}

/** Placeholders in the issuer, and who they stand for. */
function checkTenants({ issuer, tenants }: Integration, fetched: boolean, add: Add): void {
  const other = /\{[^}]*\}/.exec(issuer.replaceAll('{tenantid}', ''))?.[0]
  if (other !== undefined) add('issuer', `knows no placeholder "${other}"; did you mean "{tenantid}"?`)
  if (!hasTenants(issuer)) {
    if (tenants !== undefined) add('tenants', 'goes with an issuer that has {tenantid} in it')
    return
  }
  if (tenants === undefined) {
    add('tenants', "required: the tenants whose people may come in; or ['*'], typed out, for everybody with an account")
  } else if (tenants.includes('*') && tenants.length > 1) {
    add('tenants', '"*" stands for all tenants; leave the others out, or it')
  }
  if (fetched) {
    add('metadataUrl', 'required (or jwksUri): nothing can be fetched from an issuer with {tenantid} in it')
  }
}

/** It becomes part of a cookie's name and of the redirect URL. */
const LOGIN_NAME = /^[\w-]{1,64}$/
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

/** The client of an integration where its shape is right. */
function checkOAuth2(
  name: string,
  integration: Integration,
  at: string,
  problems: ConfigProblem[],
): OAuth2 | undefined {
  const path = `${at}.oauth2`
  if (integration.oauth2 === undefined || !check(oauth2Schema, integration.oauth2, path, problems)) return undefined
  const { oauth2, audience, audienceClaim, jwtSource, jwksUri, allowInsecureHttp = false } = integration
  const add: Add = (key, message) => {
    if (message !== undefined) problems.push({ path: key === '' ? path : `${path}.${key}`, message })
  }

  if (!LOGIN_NAME.test(name)) {
    problems.push({ path: at, message: 'its name becomes part of the redirect URL: only letters, digits, "_" and "-"' })
  }
  if (jwtSource === 'id_token') {
    if (oauth2.scopes?.includes('openid') === false) {
      add('scopes', 'must have "openid": without it there is no ID token, which jwtSource asks for')
    }
    if (audience !== null && audienceClaim === undefined && ![audience].flat().includes(oauth2.clientId)) {
      const message = `must have "${oauth2.clientId}": the ID tokens of those who sign in are made for oauth2.clientId`
      problems.push({ path: `${at}.audience`, message })
    }
  }
  for (const key of ['authorizationUrl', 'tokenUrl', 'userInfoUrl', 'revocationUrl', 'endSessionUrl'] as const) {
    const url = oauth2[key]
    if (url !== undefined) add(key, urlProblem(url, allowInsecureHttp))
  }
  if ((oauth2.authorizationUrl === undefined) !== (oauth2.tokenUrl === undefined)) {
    add(oauth2.tokenUrl === undefined ? 'tokenUrl' : 'authorizationUrl', 'required: both endpoints, or neither')
  }
  if (oauth2.authorizationUrl !== undefined) {
    if (jwksUri === undefined) {
      problems.push({ path: `${at}.jwksUri`, message: 'required where the endpoints are written out' })
    }
    if (oauth2.userInfo === true && oauth2.userInfoUrl === undefined) {
      add('userInfoUrl', 'required for userInfo: true where the endpoints are written out')
    }
  }
  checkClientSecrets(oauth2, add)
  for (const parameter of Object.keys(oauth2.authorizationParameters ?? {})) {
    if (OWN_PARAMETERS.has(parameter)) add(joinPath('authorizationParameters', [parameter]), 'is not for you to set')
  }
  return oauth2
}

/** The method and what it needs. */
function checkClientSecrets(oauth2: OAuth2, add: Add): void {
  const { clientSecret, privateKey, privateKeyId, clientAuthentication: method } = oauth2
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
