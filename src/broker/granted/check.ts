/** Checks upstream auth by which the gateway asks for tokens by itself. */

import type { ConfigProblem } from '../../core/errors.ts'
import { type AddProblem, checkClientSecrets, issuerProblem, urlProblem } from '../../oauth/check-client.ts'
import type { GrantClient, GrantedUpstreamAuth } from './auth.ts'

/** Adds what is wrong with it, beyond its shape, to `problems`. */
export function checkGrantedAuth(auth: GrantedUpstreamAuth, at: string, problems: ConfigProblem[]): void {
  const add: AddProblem = (key, message) => {
    if (message !== undefined) problems.push({ path: key === '' ? at : `${at}.${key}`, message })
  }
  checkGrantClient(auth, add)
  const { resource, issuer, tokenUrl, clientSecret, privateKey } = auth
  if (typeof resource === 'string' && !isAbsoluteUri(resource)) {
    // The fragment is what is wrong with it; a query can hold a key.
    add('resource', `"${resource.replace(/\?[^#]*/, '')}" is not an absolute URI without a fragment (RFC 8707 §2)`)
  }
  switch (auth.type) {
    case 'client_credentials':
      if ((clientSecret ?? privateKey) === undefined) {
        add('clientSecret', 'required, or privateKey: without one anybody could ask for the same token (RFC 6749 §4.4)')
      }
      requireServer(auth, add)
      break
    case 'token_exchange':
      requireServer(auth, add)
      break
    case 'identity_assertion': {
      const ofIdp: AddProblem = (key, message) => add(key === '' ? 'idp' : `idp.${key}`, message)
      checkGrantClient(auth.idp, ofIdp)
      requireServer(auth.idp, ofIdp)
      if (issuer !== undefined) break
      if ((clientSecret ?? privateKey) !== undefined) {
        add(
          'issuer',
          'required with a secret or a key: the authorization server where it was registered, so that no other one gets it',
        )
      } else if (tokenUrl !== undefined) {
        add('issuer', 'required with tokenUrl: the identity provider makes the assertion for this issuer')
      }
    }
  }
}

/** RFC 3986 §4.3. */
export function isAbsoluteUri(text: string): boolean {
  return /^[a-z][a-z\d+.-]*:[^\s#]+$/i.test(text) && URL.canParse(text)
}

function checkGrantClient(client: GrantClient, add: AddProblem): void {
  const { issuer, allowInsecureHttp = false } = client
  for (const key of ['issuer', 'tokenUrl'] as const) {
    const url = client[key]
    if (url !== undefined) add(key, urlProblem(url, allowInsecureHttp))
  }
  if (issuer !== undefined) add('issuer', issuerProblem(issuer))
  if (issuer !== undefined && /[?#]/.test(issuer)) {
    add('issuer', 'must have neither query nor fragment (RFC 8414 §2)')
  }
  checkClientSecrets(client, add)
}

function requireServer({ issuer, tokenUrl }: GrantClient, add: AddProblem): void {
  if ((issuer ?? tokenUrl) !== undefined) return
  add('issuer', 'required, or tokenUrl: the authorization server that gives the token')
}
