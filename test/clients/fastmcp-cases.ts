/** The Python client `fastmcp`, in the program that people write with it (`fastmcp_flow.py`). */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ClientCase } from './client-case.ts'
import type { Stage, TestPerson } from './stage.ts'

const PROGRAM = fileURLToPath(new URL('fastmcp_flow.py', import.meta.url))

const WITHOUT_CONSENT = [
  ['public/wiki', 'person'],
  ['data/hub', 'person'],
  ['core/orders', 'person'],
  ['legacy/board', 'person'],
  ['public/wiki', 'virtual account'],
  ['data/hub', 'virtual account'],
] as const

/** See the top of the file. */
export const FASTMCP_CASES: readonly ClientCase[] = [
  ...['dev/notes', 'dev/tasks'].map((server) => ({
    client: 'fastmcp',
    title: `${server}: reads the URL out of the error, the user consents in Chromium, the same call works (G16)`,
    needs: ['fastmcp', 'chromium'] as const,
    run: (stage: Stage) => consent(stage, server),
  })),
  {
    client: 'fastmcp',
    title:
      'a virtual server: reads all URLs out of the error, the user consents to each, the same call works (G5, G16)',
    needs: ['fastmcp', 'chromium'],
    run: virtualServer,
  },
  {
    client: 'fastmcp',
    title: 'by the other endpoint, /api/llm/mcp/{id}/server, with a personal token (G19)',
    needs: ['fastmcp', 'chromium'],
    run: otherEndpoint,
  },
  ...WITHOUT_CONSENT.map(([server, as]) => ({
    client: 'fastmcp',
    title: `${server}, as a ${as}: works at once (G11)`,
    needs: ['fastmcp'] as const,
    run: (stage: Stage) => withoutConsent(stage, server, as),
  })),
]

interface Attempt {
  readonly success: boolean
  readonly text?: string
  readonly authorization_urls?: readonly string[]
}

async function consent(stage: Stage, server: string): Promise<void> {
  const person = await stage.person()
  await consentAt(stage, person, stage.endpoint(server), person.jwt)
}

async function otherEndpoint(stage: Stage): Promise<void> {
  const person = await stage.person()
  await consentAt(stage, person, `${stage.origin}/api/llm/mcp/notes/server`, await person.personalToken())
}

async function virtualServer(stage: Stage): Promise<void> {
  const person = await stage.person()
  const url = stage.endpoint('team/desk')
  const attempts = await runProgram(stage, url, person.jwt, 'notes_whoami', {}, async ({ authorization_urls }) => {
    assert.equal(authorization_urls?.length, 2)
    for (const each of authorization_urls) await stage.consent(person, each)
  })
  assert.deepEqual(
    attempts.map(({ success }) => success),
    [false, true],
  )
  assert.equal(attempts[1]?.text, person.atService)
}

async function consentAt(stage: Stage, person: TestPerson, url: string, token: string): Promise<void> {
  const attempts = await runProgram(stage, url, token, 'whoami', {}, async ({ authorization_urls: urls = [] }) => {
    assert.equal(urls.length, 1)
    await stage.consent(person, urls[0] ?? '')
  })
  assert.deepEqual(
    attempts.map(({ success }) => success),
    [false, true],
  )
  assert.equal(attempts[1]?.text, person.atService)
  // Never again until it is revoked.
  const [again] = await runProgram(stage, url, token, 'whoami', {}, () => assert.fail('asked again'))
  assert.equal(again?.text, person.atService)
}

async function withoutConsent(stage: Stage, server: string, as: 'person' | 'virtual account'): Promise<void> {
  const token = as === 'person' ? (await stage.person()).jwt : stage.accountToken
  const nothing = () => assert.fail('no consent is needed here')
  const [attempt] = await runProgram(stage, stage.endpoint(server), token, 'add', { a: 2, b: 3 }, nothing)
  assert.equal(attempt?.text, '5')
}

/** Runs it until it has succeeded; `meanwhile` is between attempts. */
async function runProgram(
  { parts }: Stage,
  url: string,
  token: string,
  tool: string,
  args: Record<string, unknown>,
  meanwhile: (attempt: Attempt) => Promise<void> | void,
): Promise<Attempt[]> {
  const child = spawn(parts.fastmcp ?? '', [PROGRAM, url, tool, JSON.stringify(args)], {
    env: { ...process.env, GATEWAY_TOKEN: token, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  const attempts: Attempt[] = []
  let complaints = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = (complaints + chunk.toString()).slice(-2_000)
  })
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const attempt = JSON.parse(line) as Attempt
      attempts.push(attempt)
      if (attempt.success) break
      await meanwhile(attempt)
      child.stdin.write('the user is back\n')
    }
    child.stdin.end()
    const [code] = await closed
    assert.equal(code, 0, complaints)
    return attempts
  } finally {
    child.kill('SIGKILL')
  }
}
