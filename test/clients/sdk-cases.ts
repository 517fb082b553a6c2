/** What each of the SDKs' clients has to be able to do through the gateway. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { McpCall } from '../support/mcp/calls.ts'
import type { ClientCase } from './client-case.ts'
import type { ClientKind, OpenClient } from './client-kind.ts'
import { consentCases } from './consent-cases.ts'
import { within } from './outcome.ts'
import { HUB_KEY, type Stage, type TestPerson } from './stage.ts'

/** See the top of the file. */
export function sdkCases(kind: ClientKind): readonly ClientCase[] {
  const make = (title: string, run: (stage: Stage) => Promise<void>): ClientCase => ({ client: kind.name, title, run })
  return [
    make('connects, lists and calls on all four upstreams with one token (G11)', (stage) => fourUpstreams(kind, stage)),
    ...consentCases(kind),
    make('tells apart nothing: a server that is not granted is as unknown as one that is not there', (stage) =>
      unknownServers(kind, stage),
    ),
    make('hears that the list of tools has changed', (stage) => listChanged(kind, stage)),
    make('hears of progress while the tool is at work', (stage) => progress(kind, stage)),
    make('cancels a call, and the upstream stops', (stage) => cancellation(kind, stage)),
    make('takes an answer of a megabyte', (stage) => bigAnswer(kind, stage)),
    kind.speaksLegacy
      ? make("answers the server's own questions (elicitation, sampling) on the stream", (stage) => asked(kind, stage))
      : make("answers the server's own question by input_required", (stage) => confirmed(kind, stage)),
    ...(kind.speaksLegacy
      ? [
          make('goes on with a stream that broke off (Last-Event-ID)', (stage) => resumption(kind, stage)),
          make('ends its session, and the upstream ends its own', (stage) => sessionEnd(kind, stage)),
        ]
      : []),
  ]
}

/** Consent that the host application asks for, so that a case about something else need not. */
async function connected(stage: Stage, person: TestPerson, server: string): Promise<void> {
  const who = { authorization: `Bearer ${person.jwt}` }
  await stage.consent(person, await stage.gateway.connections.connectUrl({ server, who }))
}

async function fourUpstreams(kind: ClientKind, stage: Stage): Promise<void> {
  const { wiki, hub, notes, orders } = stage.upstreams
  const person = await stage.person()
  await connected(stage, person, 'dev/notes')
  const bearer = `Bearer ${person.jwt}`
  const expected = [
    { server: 'public/wiki', calls: wiki.calls, who: 'nobody', fits: (sent?: string) => sent === undefined },
    { server: 'data/hub', calls: hub.calls, who: 'opaque', fits: (sent?: string) => sent === `Bearer ${HUB_KEY}` },
    {
      server: 'dev/notes',
      calls: notes.inner.calls,
      who: person.atService,
      fits: (sent?: string) => sent !== undefined && sent !== bearer,
    },
    { server: 'core/orders', calls: orders.inner.calls, who: person.name, fits: (sent?: string) => sent === bearer },
  ]
  for (const { server, calls, who, fits } of expected) {
    const before = calls.length
    const client = await kind.open(stage.endpoint(server), { token: person.jwt })
    try {
      assert.equal(client.version, kind.era === 'modern' ? '2026-07-28' : '2025-11-25', server)
      await useEverything(client)
      assert.equal((await client.call('whoami')).text, who, server)
    } finally {
      await client.close()
    }
    const own = calls.slice(before)
    assert.ok(own.length >= 5, `${server} was asked`)
    // Never printed: an assertion that shows values would show tokens.
    assert.ok(
      own.every(({ headers }) => fits(headers.authorization)),
      `${server} got its own credential and no other`,
    )
    assert.ok(own.every(clean), `${server} got none of the client's cookies and forwarding headers`)
  }
}

/** One of each kind of request. */
async function useEverything(client: OpenClient): Promise<void> {
  assert.deepEqual((await client.tools()).slice(0, 3), ['echo', 'add', 'whoami'])
  assert.equal((await client.call('echo', { text: 'grüß dich ☂' })).text, 'grüß dich ☂')
  assert.deepEqual((await client.call('add', { a: 2, b: 3 })).structured, { sum: 5 })
  assert.equal(await client.prompt('greet', { name: 'Ann' }), 'Greet Ann.')
  assert.equal(await client.resource('notes://readme'), 'read me')
  assert.equal(await client.resource('notes://notes/7'), 'note 7')
}

function clean({ headers }: McpCall): boolean {
  const names = Object.keys(headers)
  return !names.some((name) => name === 'cookie' || name === 'forwarded' || name.startsWith('x-forwarded-'))
}

async function unknownServers(kind: ClientKind, stage: Stage): Promise<void> {
  const person = await stage.person()
  const refusals: string[] = []
  for (const server of ['secret/vault', 'secret/cellar']) {
    await assert.rejects(kind.open(stage.endpoint(server), { token: person.jwt }), (error: Error) => {
      refusals.push(error.message.replaceAll(server, 'SERVER'))
      return true
    })
  }
  assert.equal(refusals[0], refusals[1])
}

async function listChanged(kind: ClientKind, stage: Stage): Promise<void> {
  const { wiki } = stage.upstreams
  const person = await stage.person()
  const before = wiki.calls.length
  let heard: () => void = () => {}
  const hears = new Promise<void>((resolve) => {
    heard = resolve
  })
  const client = await kind.open(stage.endpoint('public/wiki'), { token: person.jwt, toolsChanged: () => heard() })
  try {
    const listens = (call: McpCall) =>
      wiki.calls.indexOf(call) >= before &&
      call.status === 200 &&
      (client.version === '2026-07-28' ? call.rpc === 'subscriptions/listen' : call.method === 'GET')
    const stream = await wiki.call(listens)
    assert.equal(stream.ended, undefined)
    await wiki.toolsChanged()
    await within(hears, 'the notification')
  } finally {
    await client.close()
  }
}

async function progress(kind: ClientKind, stage: Stage): Promise<void> {
  const { wiki } = stage.upstreams
  const person = await stage.person()
  const client = await kind.open(stage.endpoint('public/wiki'), { token: person.jwt })
  try {
    const heard: number[] = []
    const before = wiki.calls.length
    let underWay = false
    const answer = await client.call(
      'count',
      { to: 3, pauseMs: 100 },
      {
        onprogress(now) {
          heard.push(now)
          const call = wiki.calls.slice(before).find(({ rpc }) => rpc === 'tools/call')
          if (now === 1) underWay = call?.ended === undefined
        },
      },
    )
    assert.equal(answer.text, 'counted to 3')
    assert.deepEqual(heard, [1, 2, 3])
    assert.ok(underWay, 'the first notification came before the tool was done')
  } finally {
    await client.close()
  }
}

async function cancellation(kind: ClientKind, stage: Stage): Promise<void> {
  const { wiki } = stage.upstreams
  const person = await stage.person()
  const client = await kind.open(stage.endpoint('public/wiki'), { token: person.jwt })
  try {
    const waiting = once(wiki.events, 'waiting')
    const cancelled = once(wiki.events, 'cancelled')
    const giving = new AbortController()
    const call = assert.rejects(client.call('wait', {}, { signal: giving.signal }))
    await within(waiting, 'the call at the upstream')
    giving.abort(new Error('never mind'))
    await call
    await within(cancelled, 'the cancellation at the upstream')
    // Nothing is broken by it.
    assert.equal((await client.call('echo', { text: 'still there' })).text, 'still there')
  } finally {
    await client.close()
  }
}

async function bigAnswer(kind: ClientKind, stage: Stage): Promise<void> {
  const person = await stage.person()
  for (const server of ['public/wiki', 'data/hub']) {
    const client = await kind.open(stage.endpoint(server), { token: person.jwt })
    try {
      const bytes = 1_000_000
      assert.equal((await client.call('big', { bytes })).text.length, bytes)
    } finally {
      await client.close()
    }
  }
}

async function asked(kind: ClientKind, stage: Stage): Promise<void> {
  const person = await stage.person()
  const answer = (question: string) => (question === 'sampling' ? { text: 'moo' } : { colour: 'green' })
  const client = await kind.open(stage.endpoint('legacy/board'), { token: person.jwt, answer })
  try {
    assert.equal(client.version, '2025-11-25')
    assert.equal((await client.call('ask')).text, 'chose green')
    assert.equal((await client.call('sample')).text, 'the model said moo')
  } finally {
    await client.close()
  }
}

async function confirmed(kind: ClientKind, stage: Stage): Promise<void> {
  const person = await stage.person()
  const client = await kind.open(stage.endpoint('public/wiki'), { token: person.jwt, answer: () => ({ sure: true }) })
  try {
    assert.equal((await client.call('confirm')).text, 'confirmed')
  } finally {
    await client.close()
  }
}

async function resumption(kind: ClientKind, stage: Stage): Promise<void> {
  const { board } = stage.upstreams
  const person = await stage.person()
  const before = board.calls.length
  const client = await kind.open(stage.endpoint('legacy/board'), { token: person.jwt })
  try {
    const heard: number[] = []
    const answer = await client.call('count', { to: 4, breakAt: 3 }, { onprogress: (now) => void heard.push(now) })
    assert.equal(answer.text, 'counted to 4')
    assert.deepEqual(heard, [1, 2, 3, 4])
    const resumed = board.calls
      .slice(before)
      .filter(({ method, headers }) => method === 'GET' && 'last-event-id' in headers)
    assert.ok(resumed.length > 0, 'the client came back with Last-Event-ID')
  } finally {
    await client.close()
  }
}

async function sessionEnd(kind: ClientKind, stage: Stage): Promise<void> {
  const { board } = stage.upstreams
  const person = await stage.person()
  const before = board.calls.length
  const open = board.sessions()
  const client = await kind.open(stage.endpoint('legacy/board'), { token: person.jwt })
  try {
    assert.equal(board.sessions(), open + 1)
  } finally {
    await client.close()
  }
  await board.call((call) => board.calls.indexOf(call) >= before && call.method === 'DELETE' && call.ended === 'whole')
  assert.equal(board.sessions(), open)
}
