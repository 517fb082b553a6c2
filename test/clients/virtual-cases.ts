/** A virtual server over three others, two of which need consent: everything that is missing at once, then one list and calls to each (G5, G16). */
import assert from 'node:assert/strict'
import type { ClientCase } from './client-case.ts'
import { type ClientKind, type OpenClient, rpcError } from './client-kind.ts'
import { failure } from './outcome.ts'
import type { Stage } from './stage.ts'

const SERVER = 'team/desk'

/** See the top of the file. */
export function virtualCases(kinds: readonly ClientKind[]): readonly ClientCase[] {
  return kinds.map((kind) => ({
    client: kind.name,
    title: 'a virtual server: all missing consents at once, one list, and each call with its own credential (G5, G16)',
    run: (stage) => deskOf(kind, stage),
  }))
}

async function deskOf(kind: ClientKind, stage: Stage): Promise<void> {
  const { wiki, notes } = stage.upstreams
  const person = await stage.person()
  const first = linksIn(await failure(useDesk(kind, stage, person.jwt)))
  assert.equal(first.length, 2)
  await stage.consent(person, first[0] ?? '')
  // What has been allowed is not asked for again; the other link is the same.
  assert.deepEqual(linksIn(await failure(useDesk(kind, stage, person.jwt))), [first[1]])
  await stage.consent(person, first[1] ?? '')
  const before = { wiki: wiki.calls.length, notes: notes.inner.calls.length }
  assert.deepEqual(await useDesk(kind, stage, person.jwt), {
    tools: ['echo', 'add', 'notes_whoami', 'tasks_add', 'who_at_tasks'],
    answers: ['hello', person.atService, person.atService, { sum: 5 }],
    prompt: 'Greet Ann.',
  })
  const bearers = (calls: typeof wiki.calls) => calls.map(({ headers }) => headers.authorization)
  // Never printed: an assertion that shows values would show tokens.
  assert.ok(bearers(wiki.calls.slice(before.wiki)).every((sent) => sent === undefined))
  const theirs = new Set(bearers(notes.inner.calls.slice(before.notes)))
  assert.equal(theirs.size, 2, 'each of the two servers was called with a token of its own')
  assert.ok(!theirs.has(undefined) && !theirs.has(`Bearer ${person.jwt}`))
}

/** Connects, does one thing of each kind, and goes away. */
async function useDesk(kind: ClientKind, stage: Stage, token: string) {
  const client = await kind.open(stage.endpoint(SERVER), { token })
  try {
    const tools = await client.tools()
    return { tools, answers: await callAll(client), prompt: await client.prompt('greet', { name: 'Ann' }) }
  } finally {
    await client.close()
  }
}

async function callAll(client: OpenClient): Promise<unknown[]> {
  return [
    (await client.call('echo', { text: 'hello' })).text,
    (await client.call('notes_whoami')).text,
    (await client.call('who_at_tasks')).text,
    (await client.call('tasks_add', { a: 2, b: 3 })).structured,
  ]
}

/** The links in an error, several joined by ` , `. */
function linksIn(thrown: unknown): string[] {
  const { code, data } = rpcError(thrown)
  assert.equal(code, 4011)
  const [, links = ''] = /^Please visit: (.+)$/.exec(String(data)) ?? []
  return links.split(' , ')
}
