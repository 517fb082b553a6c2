/** Checks how a server of a configuration is authenticated to. */

import { checkPrincipal, type KnownNames } from '../access/check-grants.ts'
import { checkVariant, joinPath } from '../core/config.ts'
import type { ConfigProblem } from '../core/errors.ts'
import type { Secret } from '../core/secrets.ts'
import { suggest } from '../core/suggest.ts'
import { fieldValueProblem, isFieldName } from '../http/field.ts'
import { isPlainPath } from '../http/path.ts'
import { globProblem } from '../match/glob.ts'
import { type AddProblem, checkClient, issuerProblem, urlProblem } from '../oauth/check-client.ts'
import type { GrantedUpstreamAuth } from './granted/auth.ts'
import { checkGrantedAuth, isAbsoluteUri } from './granted/check.ts'
import { isPlaceholderName, parseTemplate, templateProblem } from './header-template.ts'
import { foldFieldName, isRelayField } from './reserved-fields.ts'
import type { HeaderUpstreamAuth, OAuth2UpstreamAuth } from './upstream-auth.ts'
import { upstreamAuthSchemas } from './upstream-auth-schema.ts'

/** What `auth` is checked against. What is left out is not known, and not checked against. */
export interface UpstreamAuthContext {
  /** For `to` of overrides, as for grants. */
  readonly known?: KnownNames
  /** The gateway's own origin, to which authorization servers answer. */
  readonly gatewayUrl?: unknown
}

/** Adds what is wrong with a server's `auth`, which is at `at` in the configuration, to `problems`. */
export function checkUpstreamAuth(
  auth: unknown,
  at: string,
  context: UpstreamAuthContext,
  problems: ConfigProblem[],
): void {
  const absent = "required: how to authenticate to it; for no credential at all write { type: 'none' }"
  const type = checkVariant(upstreamAuthSchemas, auth, at, absent, problems)
  if (type === 'header') checkHeaderAuth(auth as HeaderUpstreamAuth, at, context, problems)
  if (type === 'oauth2') checkOAuth2(auth as OAuth2UpstreamAuth, at, context, problems)
  if (type === 'token_exchange' || type === 'identity_assertion' || type === 'client_credentials') {
    checkGrantedAuth(auth as GrantedUpstreamAuth, at, problems)
  }
}

function checkHeaderAuth(
  auth: HeaderUpstreamAuth,
  at: string,
  { known = {} }: UpstreamAuthContext,
  problems: ConfigProblem[],
): void {
  const { headers, values = {}, overrides = [] } = auth
  const add: AddAt = (steps, message) => {
    if (message !== undefined) problems.push({ path: joinPath(at, steps), message })
  }
  const used = checkHeaders(headers, values, add)
  checkValues(values, ['values'], add)
  for (const name of Object.keys(values)) {
    if (isPlaceholderName(name) && !used.has(name)) {
      add(['values', name], `is used by no header; write {{${name}}} where it belongs, or leave it out`)
    }
  }
  for (const [index, { to, values: others }] of overrides.entries()) {
    const steps = ['overrides', index]
    for (const [number, pattern] of [to].flat().entries()) {
      const path = joinPath(at, [...steps, 'to', ...(typeof to === 'string' ? [] : [number])])
      const message = globProblem(pattern)
      if (message === undefined) checkPrincipal(pattern, path, known, problems)
      else problems.push({ path, message })
    }
    if (Object.keys(others).length === 0) add([...steps, 'values'], 'must not be empty')
    checkValues(others, [...steps, 'values'], add)
    for (const name of Object.keys(others)) {
      if (!isPlaceholderName(name) || Object.hasOwn(values, name)) continue
      const message = `no value named "${name}" to override${suggest(name, Object.keys(values))}`
      add([...steps, 'values', name], message)
    }
  }
}

type AddAt = (steps: readonly PropertyKey[], message: string | undefined) => void

/** The placeholders that are used. */
function checkHeaders(
  headers: HeaderUpstreamAuth['headers'],
  values: Readonly<Record<string, Secret>>,
  add: AddAt,
): ReadonlySet<string> {
  const used = new Set<string>()
  const names = new Map<string, string>()
  if (Object.keys(headers).length === 0) {
    add(['headers'], "must not be empty; for no credential at all write auth: { type: 'none' }")
  }
  for (const [name, value] of Object.entries(headers)) {
    add(['headers', name], nameProblem(name))
    const other = names.get(foldFieldName(name))
    if (other !== undefined) add(['headers', name], `the same header as "${other}"`)
    names.set(foldFieldName(name), name)
    if (typeof value !== 'string') continue
    const parts = parseTemplate(value)
    // Whatever is put in for a placeholder neither begins nor ends with a space.
    const filled = parts.map((part) => ('text' in part ? part.text : 'x')).join('')
    add(['headers', name], templateProblem(value) ?? fieldValueProblem(filled) ?? unsetProblem(value))
    for (const part of parts) {
      if ('text' in part) continue
      used.add(part.placeholder)
      if (Object.hasOwn(values, part.placeholder)) continue
      const near = suggest(part.placeholder, Object.keys(values))
      add(['headers', name], `{{${part.placeholder}}} has no value in values${near}`)
    }
  }
  return used
}

function nameProblem(name: string): string | undefined {
  if (!isFieldName(name)) return 'not the name of a header (RFC 9110 §5.1)'
  return isRelayField(name) ? 'belongs to the request itself: the gateway sets it' : undefined
}

/** What a reference names is looked at once it is looked up. */
function checkValues(values: Readonly<Record<string, Secret>>, steps: readonly PropertyKey[], add: AddAt): void {
  for (const [name, value] of Object.entries(values)) {
    if (!isPlaceholderName(name)) {
      add([...steps, name], 'the name of a value has letters, digits, "_" and "-", and begins with a letter')
    }
    if (typeof value === 'string') add([...steps, name], fieldValueProblem(value) ?? unsetProblem(value))
  }
}

/** What `${process.env.KEY}` makes of a variable that is not set. */
function unsetProblem(text: string): string | undefined {
  const [word] = /undefined$|(?<![^\s:=])null$/.exec(text) ?? []
  return (
    word && `ends in "${word}", as of a variable that is not set; a secret is better given as { secret: "env:NAME" }`
  )
}

function checkOAuth2(
  auth: OAuth2UpstreamAuth,
  at: string,
  { gatewayUrl }: UpstreamAuthContext,
  problems: ConfigProblem[],
): void {
  const add: AddProblem = (key, message) => {
    if (message !== undefined) problems.push({ path: key === '' ? at : `${at}.${key}`, message })
  }
  for (const key of ['issuer', 'metadataUrl', 'authorizationUrl', 'tokenUrl', 'revocationUrl'] as const) {
    const url = auth[key]
    if (url !== undefined) add(key, urlProblem(url, auth.allowInsecureHttp === true))
  }
  const { issuer, metadataUrl, authorizationUrl, tokenUrl, resource, responseMode, callbackPath } = auth
  const { clientId, clientSecret, privateKey } = auth
  const isFound = issuer === undefined && authorizationUrl === undefined && tokenUrl === undefined
  if (clientId === undefined) {
    for (const key of ['clientSecret', 'privateKey', 'clientAuthentication'] as const) {
      if (auth[key] !== undefined) add('clientId', `required with ${key}: whose is it?`)
    }
    if (authorizationUrl !== undefined || tokenUrl !== undefined) {
      add(
        'clientId',
        'required with authorizationUrl and tokenUrl; to have the gateway register itself, leave both out',
      )
    }
  }
  if (isFound && (clientSecret ?? privateKey) !== undefined) {
    add(
      'issuer',
      'required with a secret or a key: the authorization server where it was registered, so that no other one gets it',
    )
  } else if (isFound && auth.revocationUrl !== undefined) {
    add('revocationUrl', 'goes with issuer, or with authorizationUrl and tokenUrl')
  }
  if (metadataUrl !== undefined && issuer === undefined) {
    add('issuer', 'required: what is at metadataUrl has to say that it is about this issuer')
  }
  if (issuer !== undefined) add('issuer', issuerProblem(issuer))
  if (issuer !== undefined && /[?#]/.test(issuer)) {
    add('issuer', 'must have neither query nor fragment (RFC 8414 §2)')
  }
  if (authorizationUrl?.includes('#')) add('authorizationUrl', 'must not have a fragment (RFC 6749 §3.1)')
  checkClient(auth, add)
  if (typeof resource === 'string' && !isAbsoluteUri(resource)) {
    // The fragment is what is wrong with it; a query can hold a key.
    add('resource', `"${resource.replace(/\?[^#]*/, '')}" is not an absolute URI without a fragment (RFC 8707 §2)`)
  }
  if (callbackPath !== undefined && !isPlainPath(callbackPath)) {
    add('callbackPath', `"${callbackPath}" is not a plain path such as "/oauth2/callback"`)
  }
  if (responseMode === 'form_post' && typeof gatewayUrl === 'string' && gatewayUrl.startsWith('http:')) {
    const message =
      'form_post needs a gateway on https: browsers send the cookie of a cross-site POST only then (SameSite=None; Secure)'
    add('responseMode', message)
  }
}
