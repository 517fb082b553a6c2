/** Checks the integrations of a configuration beyond their shape. */
import { check, joinPath } from '../core/config.ts'
import type { ConfigProblem } from '../core/errors.ts'
import { hasTenants } from '../jwt/registered-claims.ts'
import { presentable } from '../net/fetch.ts'
import {
  type AddProblem,
  checkClient,
  hasUserInfo,
  issuerProblem,
  USER_INFO,
  urlProblem,
} from '../oauth/check-client.ts'
import { ANONYMOUS, VIRTUAL_ACCOUNT } from './identity.ts'
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
    add('issuer', issuerProblem(issuer) ?? (fetched ? urlProblem(issuer, allowInsecureHttp) : nameProblem(issuer)))
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

/** What is wrong with an issuer that is only compared. RFC 7519 §2: any text, and a URI where there is a colon in it. */
function nameProblem(issuer: string): string | undefined {
  if (hasUserInfo(issuer)) return USER_INFO
  if (issuer === VIRTUAL_ACCOUNT || issuer === ANONYMOUS) return `"${issuer}" stands for callers of no provider`
  return issuer.includes(':') && !URL.canParse(issuer) ? `"${presentable(issuer)}" is not a URL` : undefined
}

/** Placeholders in the issuer, and who they stand for. */
function checkTenants({ issuer, tenants }: Integration, fetched: boolean, add: AddProblem): void {
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
  const add: AddProblem = (key, message) => {
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
  if (oauth2.authorizationUrl !== undefined) {
    if (jwksUri === undefined) {
      problems.push({ path: `${at}.jwksUri`, message: 'required where the endpoints are written out' })
    }
    if (oauth2.userInfo === true && oauth2.userInfoUrl === undefined) {
      add('userInfoUrl', 'required for userInfo: true where the endpoints are written out')
    }
  }
  checkClient(oauth2, add)
  return oauth2
}
