/** Missing consent, said in the form that each client can use (B3); consent in a browser; and then the same call works (G16). */
import assert from 'node:assert/strict'
import type { ClientCase } from './client-case.ts'
import { type ClientKind, type OpenClient, rpcError } from './client-kind.ts'
import { failure } from './outcome.ts'
import type { Stage, TestPerson } from './stage.ts'

/** See the top of the file. */
export function consentCases(kind: ClientKind): readonly ClientCase[] {
  const make = (title: string, run: (stage: Stage) => Promise<void>): ClientCase => ({ client: kind.name, title, run })
  const best = kind.era === 'modern' ? 'input_required' : '-32042'
  return [
    make('missing consent: text in the error, consent in the browser, and the same call works (G16)', (stage) =>
      byText(kind, stage),
    ),
    make(`missing consent: ${best}, consent in the browser, and the same call works (B3)`, (stage) =>
      kind.era === 'modern' ? byInputRequired(kind, stage) : byUrlError(kind, stage),
    ),
    ...(kind.name === 'sdk2-auto'
      ? [
          make('missing consent on a server that nobody has asked yet: a form that it can use', (stage) =>
            byAnyForm(kind, stage),
          ),
        ]
      : []),
    make('consent revoked in mid-session: said in the same form, and afterwards the same client goes on', (stage) =>
      revoked(kind, stage),
    ),
  ]
}

/** Where a modern client can be told anything at all before consent, the gateway has to know that the server is modern. */
function serverFor(kind: ClientKind): string {
  return kind.era === 'modern' ? 'dev/tasks' : 'dev/notes'
}

async function byText(kind: ClientKind, stage: Stage): Promise<void> {
  const person = await stage.person()
  const url = stage.endpoint(serverFor(kind))
  const call = () => useOnce(kind, url, person)
  const error = rpcError(await failure(call()))
  assert.equal(error.code, 4011)
  const [, link = ''] = /^Please visit: (\S+)$/.exec(String(error.data)) ?? []
  // A client that asks again, as agents do, is not sent elsewhere.
  assert.equal(String(rpcError(await failure(call())).data), `Please visit: ${link}`)
  await stage.consent(person, link)
  assert.equal(await call(), person.atService)
}

async function byUrlError(kind: ClientKind, stage: Stage): Promise<void> {
  const person = await stage.person()
  const url = stage.endpoint(serverFor(kind))
  const call = () => useOnce(kind, url, person, async () => assert.fail('a URL that was not asked for'))
  const error = rpcError(await failure(call()))
  assert.equal(error.code, -32042)
  assert.match(error.message, /Please visit: http/)
  const [elicitation, ...more] = (error.data as { elicitations: { mode: string; url: string }[] }).elicitations
  assert.equal(more.length, 0)
  assert.equal(elicitation?.mode, 'url')
  await stage.consent(person, elicitation?.url ?? '')
  assert.equal(await call(), person.atService)
}

/** The client visits the URL and tries again by itself, within the one call. */
async function byInputRequired(kind: ClientKind, stage: Stage): Promise<void> {
  const person = await stage.person()
  let visits = 0
  const client = await kind.open(stage.endpoint(serverFor(kind)), {
    token: person.jwt,
    async visit(link) {
      visits++
      await stage.consent(person, link)
    },
  })
  try {
    // Lists have no such form.
    assert.equal(rpcError(await failure(client.tools())).code, 4011)
    assert.equal((await client.call('whoami')).text, person.atService)
    assert.equal(visits, 1)
    assert.equal((await client.tools())[0], 'echo')
    assert.equal(await client.prompt('greet', { name: 'Ann' }), 'Greet Ann.')
  } finally {
    await client.close()
  }
}

/** With `auto`, the form hangs on what the server's answers to others have told. */
async function byAnyForm(kind: ClientKind, stage: Stage): Promise<void> {
  const person = await stage.person()
  const visit = (link: string) => stage.consent(person, link)
  const url = stage.endpoint('dev/notes')
  try {
    assert.equal(await useOnce(kind, url, person, visit), person.atService)
  } catch (thrown) {
    const { code, data } = rpcError(thrown)
    assert.equal(code, -32042)
    const [elicitation] = (data as { elicitations: { url: string }[] }).elicitations
    await stage.consent(person, elicitation?.url ?? '')
    assert.equal(await useOnce(kind, url, person, visit), person.atService)
  }
}

async function revoked(kind: ClientKind, stage: Stage): Promise<void> {
  const person = await stage.person()
  const server = serverFor(kind)
  const who = { authorization: `Bearer ${person.jwt}` }
  await stage.consent(person, await stage.gateway.connections.connectUrl({ server, who }))
  const client = await kind.open(stage.endpoint(server), { token: person.jwt })
  try {
    assert.equal(await whoami(client), person.atService)
    const identity = await stage.gateway.identify(who.authorization)
    assert.ok(identity !== null)
    assert.equal(await stage.gateway.connections.revoke(identity, server), true)
    const error = rpcError(await failure(whoami(client)))
    assert.equal(error.code, 4011)
    await stage.consent(person, /^Please visit: (\S+)$/.exec(String(error.data))?.[1] ?? '')
    assert.equal(await whoami(client), person.atService)
  } finally {
    await client.close()
  }
}

/** Connects, asks who it is, and goes away. */
async function useOnce(
  kind: ClientKind,
  url: string,
  person: TestPerson,
  visit?: (link: string) => Promise<void>,
): Promise<string> {
  const client = await kind.open(url, { token: person.jwt, ...(visit && { visit }) })
  try {
    return await whoami(client)
  } finally {
    await client.close()
  }
}

async function whoami(client: OpenClient): Promise<string> {
  return (await client.call('whoami')).text
}
