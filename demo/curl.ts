/** `curl` lines to paste, with real tokens and what to expect. */
import type { Token } from './ask.ts'
import { say, styled, title } from './print.ts'
import { JOB_CLIENT, ORDERS_API } from './provider-clients.ts'
import type { Demo } from './servers.ts'
import type { DemoTokens } from './tokens.ts'

/** Prints them. The tokens are variables, so that the lines stay short. */
export function printCurlLines({ targets, corp }: Demo, tokens: DemoTokens): void {
  const url = targets[0]?.url ?? ''
  const others = targets.slice(1).map(({ name, port }) => `${port} (${name})`)

  title('Try it: paste these tokens into a shell …')
  const variables: Record<string, Token> = {
    GOOD: tokens.alice,
    OTHER_AUDIENCE: tokens.otherAudience,
    WRONG_CLAIMS: tokens.mallory,
    ID_TOKEN: tokens.aliceId,
  }
  for (const [name, { jwt }] of Object.entries(variables)) say(`${name}='${jwt}'`)

  title(`… then any of these lines; ${others.join(', ')} answer in the same way`)
  const bearer = (variable: string) => `-H "Authorization: Bearer $${variable}"`
  const lines: [string, string][] = [
    ['200, basic auth', `-H 'Host: s1.example.com' --user hello:pass ${url}/`],
    ['401, a browser would prompt', `-H 'Host: s1.example.com' ${url}/`],
    ['200, a path on a host', `-H 'Host: example.com' --user hello:pass ${url}/s1/items`],
    ['200, a JWT whose claims pass', `-H 'Host: admin.example.com' ${bearer('GOOD')} ${url}/`],
    ["403, mallory's claims do not", `-H 'Host: admin.example.com' ${bearer('WRONG_CLAIMS')} ${url}/`],
    ['401, a JWT for another audience', `-H 'Host: admin.example.com' ${bearer('OTHER_AUDIENCE')} ${url}/`],
    ['401, an ID token where access tokens count', `-H 'Host: admin.example.com' ${bearer('ID_TOKEN')} ${url}/`],
    ['200, an ID token where these count', `-H 'Host: profile.example.com' ${bearer('ID_TOKEN')} ${url}/`],
    ['403, no credentials', `-H 'Host: admin.example.com' ${url}/`],
    ['200, a wildcard host', `-H 'Host: notebook-1.apps.example.com' ${bearer('GOOD')} ${url}/`],
    ['200, not exposed, from inside', `-H 'Host: orders-ml.svc.cluster.local' ${url}/`],
    ['404, from outside', `-H 'Host: orders-ml.svc.cluster.local' -H 'X-Forwarded-For: 203.0.113.7' ${url}/`],
    ['400, two parsers could read it differently', `-H 'Host: example.com' --path-as-is ${url}/s1/..%2fs2`],
    ['200, an open health check', `${url}/healthz`],
    ['302, a page that a browser loads leads to the sign-in', `-H 'Accept: text/html' ${url}/app/`],
    ['403, anything else does not', `${url}/app/`],
  ]
  // What each shows stands on a line of its own: in zsh, a pasted `#` begins no comment.
  for (const [what, rest] of lines) say(`${styled('dim', `  ${what}:`)}\ncurl -i ${rest}`)
  const form = `grant_type=client_credentials&scope=orders:read&resource=${encodeURIComponent(ORDERS_API)}`
  say(styled('dim', '  a fresh token, straight from the identity provider:'))
  say(`curl --user ${JOB_CLIENT.id}:${JOB_CLIENT.secret} -d '${form}' ${corp.issuer}/token`)
}
