/** Each kind of caller on each kind of upstream, as far as the models go together. */
import assert from 'node:assert/strict'
import { WIDE_NUMBER } from '../support/mcp/wide-number.ts'
import type { ClientCase } from './client-case.ts'
import { rpcError } from './client-kind.ts'
import { failure } from './outcome.ts'
import { SDK1_CLIENT } from './sdk1-client.ts'
import { SDK2_CLIENTS } from './sdk2-client.ts'
import type { Stage, TestPerson } from './stage.ts'
import { askWideNumber } from './wide-question.ts'

const OPEN = [
  ['public/wiki', 'nobody'],
  ['data/hub', 'opaque'],
] as const

/** See the top of the file. */
export function callerCases(): readonly ClientCase[] {
  const make = (title: string, run: ClientCase['run']): ClientCase => ({ client: 'callers', title, run })
  return [
    make(
      'personal token on none, header and oauth2; on passthrough it is refused and goes nowhere (G1, G10)',
      personal,
    ),
    make(
      'virtual account on none and header; on oauth2 once an owner has connected it; not on passthrough (G2)',
      account,
    ),
    make('JWT of the identity provider on all four, with the connection that the personal token made (G3, G22)', jwt),
    make("a person's connection serves nobody else (G14)", others),
    make('no token, a wrong one, a revoked one: 401 with where to get one (B4)', unauthenticated),
    make('a number of 64 bits arrives as it is, in JSON and on a stream', wideNumbers),
    make('nothing that the audit has told holds a credential or a link (G17)', silentAudit),
  ]
}

async function personal(stage: Stage): Promise<void> {
  const person = await stage.person()
  const token = await person.personalToken()
  for (const [server, who] of OPEN) assert.equal(await whoami(stage, server, token), who)
  await consentFor(stage, person, token)
  assert.equal(await whoami(stage, 'dev/notes', token), person.atService)
  await refusedByPassthrough(stage, token)
}

async function account(stage: Stage): Promise<void> {
  const { accountToken: token, alice } = stage
  for (const [server, who] of OPEN) assert.equal(await whoami(stage, server, token), who)
  const error = rpcError(await failure(whoami(stage, 'dev/notes', token)))
  assert.equal(error.code, 4012)
  assert.doesNotMatch(JSON.stringify([error.message, error.data]), /https?:/)
  const who = { authorization: `Bearer ${alice.jwt}` }
  const link = await stage.gateway.connections.connectUrl({ server: 'dev/notes', who, forVirtualAccount: 'ci' })
  await stage.consent(alice, link)
  assert.equal(await whoami(stage, 'dev/notes', token), alice.atService)
  await refusedByPassthrough(stage, token)
}

async function jwt(stage: Stage): Promise<void> {
  const person = await stage.person()
  await consentFor(stage, person, await person.personalToken())
  const all = [...OPEN, ['dev/notes', person.atService], ['core/orders', person.name]] as const
  for (const [server, who] of all) assert.equal(await whoami(stage, server, person.jwt), who)
}

async function others(stage: Stage): Promise<void> {
  const [ann, ben] = [await stage.person(), await stage.person()]
  await consentFor(stage, ann, ann.jwt)
  assert.equal(rpcError(await failure(whoami(stage, 'dev/notes', ben.jwt))).code, 4011)
  await consentFor(stage, ben, ben.jwt)
  const asked = await Promise.all([ann, ben, ann, ben].map(({ jwt: token }) => whoami(stage, 'dev/notes', token)))
  assert.deepEqual(asked, [ann.atService, ben.atService, ann.atService, ben.atService])
}

async function unauthenticated(stage: Stage): Promise<void> {
  const person = await stage.person()
  const token = await person.personalToken()
  const who = await stage.gateway.identify(`Bearer ${person.jwt}`)
  assert.ok(who !== null)
  const [key] = await stage.gateway.keys.list(who)
  assert.equal(await stage.gateway.keys.revoke(who, key?.id ?? ''), true)
  const wrong = `${token.slice(0, -4)}AAAA`
  for (const [sent, error] of [
    [undefined, false],
    [token, true],
    [wrong, true],
    [`${person.jwt.slice(0, -4)}AAAA`, true],
  ] as const) {
    const { status, headers } = await post(stage, 'public/wiki', sent)
    assert.equal(status, 401)
    const challenge = headers.get('www-authenticate') ?? ''
    assert.equal(challenge.includes('error="invalid_token"'), error)
    const [, metadata = ''] = /resource_metadata="([^"]+)"/.exec(challenge) ?? []
    const said = (await (await fetch(metadata)).json()) as { resource: string; authorization_servers: string[] }
    assert.equal(said.resource, stage.endpoint('public/wiki'))
    assert.equal(said.authorization_servers.length, 1)
    for (const kind of [...SDK2_CLIENTS, SDK1_CLIENT]) {
      await assert.rejects(kind.open(stage.endpoint('public/wiki'), sent === undefined ? {} : { token: sent }))
    }
  }
}

async function wideNumbers(stage: Stage): Promise<void> {
  const person = await stage.person()
  await consentFor(stage, person, person.jwt)
  for (const server of ['public/wiki', 'dev/notes']) {
    assert.equal(await askWideNumber(stage.endpoint(server), person.jwt), WIDE_NUMBER, server)
  }
}

async function silentAudit(stage: Stage): Promise<void> {
  const person = await stage.person()
  const token = await person.personalToken()
  let link = ''
  await consentFor(stage, person, token, (to) => {
    link = to
  })
  for (const server of ['public/wiki', 'data/hub', 'dev/notes']) await whoami(stage, server, token)
  await whoami(stage, 'core/orders', person.jwt)
  const told = JSON.stringify(stage.audits)
  for (const kind of ['request', 'connection', 'key']) assert.ok(told.includes(`"type":"${kind}"`), kind)
  const upstream = Object.values(stage.upstreams).flatMap(({ calls }) => calls)
  const sent = upstream.flatMap(({ headers }) => headers.authorization?.split(' ')[1] ?? [])
  const secrets = new Set([token, person.jwt, stage.accountToken, new URL(link).pathname.split('/').pop(), ...sent])
  assert.ok(secrets.size > 5)
  // Not the text itself, which would be printed.
  for (const secret of secrets) assert.equal(told.includes(secret ?? ''), false, 'a secret in the audit')
}

async function refusedByPassthrough(stage: Stage, token: string): Promise<void> {
  const { calls } = stage.upstreams.orders
  const before = calls.length
  const { status, text } = await post(stage, 'core/orders', token)
  assert.equal(status, 403)
  assert.match(text, /gateway key|personal token|API key/i)
  assert.equal(text.includes(token), false)
  await assert.rejects(SDK1_CLIENT.open(stage.endpoint('core/orders'), { token }))
  assert.equal(calls.length, before, 'nothing has gone upstream')
}

async function consentFor(
  stage: Stage,
  person: TestPerson,
  token: string,
  tell: (link: string) => void = () => {},
): Promise<void> {
  const { data } = rpcError(await failure(whoami(stage, 'dev/notes', token)))
  const [, link = ''] = /^Please visit: (\S+)$/.exec(String(data)) ?? []
  tell(link)
  await stage.consent(person, link)
}

/** By a client that can be told in one form only, so that the cases here are about callers. */
async function whoami(stage: Stage, server: string, token: string): Promise<string> {
  const client = await SDK1_CLIENT.open(stage.endpoint(server), { token })
  try {
    return (await client.call('whoami')).text
  } finally {
    await client.close()
  }
}

async function post(stage: Stage, server: string, token: string | undefined) {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'fetch', version: '1' } }
  const response = await fetch(stage.endpoint(server), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}
