/** The reference server `@modelcontextprotocol/server-everything` behind the gateway. */
import assert from 'node:assert/strict'
import type { ClientCase } from './client-case.ts'
import type { ClientKind } from './client-kind.ts'
import type { Stage } from './stage.ts'

/** With each client that speaks what it speaks. */
export function everythingCases(kinds: readonly ClientKind[]): readonly ClientCase[] {
  return kinds
    .filter(({ speaksLegacy }) => speaksLegacy)
    .map((kind) => ({
      client: 'everything',
      title: `${kind.name}: tools, prompts, resources, progress and a question to the user`,
      run: (stage) => tour(kind, stage),
    }))
}

async function tour(kind: ClientKind, stage: Stage): Promise<void> {
  const person = await stage.person()
  const client = await kind.open(stage.endpoint('tools/everything'), {
    token: person.jwt,
    answer: (question) => (question === 'sampling' ? { text: 'moo' } : { name: 'Ann' }),
  })
  try {
    assert.equal(client.version, '2025-11-25')
    const tools = await client.tools()
    assert.ok(tools.includes('trigger-long-running-operation'))
    assert.equal((await client.call('echo', { message: 'hello' })).text, 'Echo: hello')
    assert.match((await client.call('get-sum', { a: 2, b: 3 })).text, /\b5\b/)
    assert.match(await client.prompt('simple-prompt', {}), /prompt/)
    const heard: number[] = []
    const work = { duration: 0.4, steps: 4 }
    const options = { onprogress: (now: number) => void heard.push(now) }
    assert.match((await client.call('trigger-long-running-operation', work, options)).text, /completed/)
    assert.deepEqual(heard, [1, 2, 3, 4])
    if (tools.includes('trigger-elicitation-request')) {
      assert.match((await client.call('trigger-elicitation-request')).text, /Ann/)
    }
    if (tools.includes('trigger-sampling-request')) {
      assert.match((await client.call('trigger-sampling-request', { prompt: 'What does it say?' })).text, /moo/)
    }
    assert.match((await client.call('get-tiny-image')).text, /image/)
  } finally {
    await client.close()
  }
}
