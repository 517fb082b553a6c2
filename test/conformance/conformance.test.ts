/** What is ours of `npm run conformance`: the scenarios on inbound authorization, and how results are read. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { AUTHORIZATION_SCENARIOS } from './authorization/all.ts'
import { startGatewayTarget } from './authorization/gateway-target.ts'
import type { AuthorizationTarget } from './authorization/scenario.ts'
import { LEFT_OUT } from './left-out.ts'
import { choose, NOTHING, planTries, REVISIONS } from './plan.ts'
import { readRequired } from './required.ts'
import { createTally } from './tally.ts'
import { judge } from './verdict.ts'

describe('B4 inbound authorization', () => {
  let target: Awaited<ReturnType<typeof startGatewayTarget>>
  beforeAll(async () => {
    target = await startGatewayTarget()
  })
  afterAll(() => target.close())

  describe.each(REVISIONS)('%s', (revision) => {
    test.each(AUTHORIZATION_SCENARIOS)('$name', async (scenario) => {
      const checks = await scenario.run(target, revision)
      expect(checks.filter(({ status }) => status !== 'SUCCESS')).toEqual([])
      expect(checks.length).toBeGreaterThan(4)
    })

    test('a server that lets everybody in misses them', async () => {
      const upstream = await startSdk2Server()
      onTestFinished(() => upstream.close())
      const open: AuthorizationTarget = { ...target, serverUrl: upstream.url }
      for (const scenario of AUTHORIZATION_SCENARIOS.filter(({ name }) => !name.endsWith('step-up'))) {
        const checks = await scenario.run(open, revision)
        expect(checks.some(({ status }) => status === 'FAILURE')).toBe(true)
      }
    })
  })
})

const LISTED = `Required for 2026-07-28 (3 scenarios, frozen; run at the 2026-07-28 wire):

Server scenarios (test against a server):
  - tools-list
  - caching

Client scenarios (test against a client):
  - auth/basic-cimd

Run and reported, but never scored:
  extension (1):
    - auth/dpop [client]
  pending (1):
    - json-schema-2020-12 [server]
`

describe('the requirements of a revision', () => {
  test('are read as the suite lists them', () => {
    expect(readRequired(LISTED)).toEqual({
      server: ['tools-list', 'caching'],
      client: ['auth/basic-cimd'],
      unscored: [
        { scenario: 'auth/dpop', side: 'client', why: 'extension' },
        { scenario: 'json-schema-2020-12', side: 'server', why: 'pending' },
      ],
    })
  })

  test('that cannot be read are an error, not an empty list that passes', () => {
    expect(() => readRequired('Scenarios: none')).toThrow('no scenarios')
  })
})

describe('the plan', () => {
  const required = readRequired(LISTED)
  const requirements = { '2026-07-28': required, '2025-11-25': required }
  const forms = [
    { name: 'fixture', counts: false },
    { name: 'plain', counts: true },
  ]

  test('has every scenario on every form, and the client', () => {
    const tries = planTries(requirements, forms, [], [])
    expect(tries).toHaveLength(2 * (2 * 3 + 2))
    expect(tries.filter(({ form, unscored }) => form === 'fixture' && unscored === undefined)).toEqual([])
  })

  test('leaves out what is named, with its reason, and refuses a name that the suite does not have', () => {
    const leftOut = { side: 'server', scenario: 'caching', at: { form: 'plain' }, reason: 'why' } as const
    const out = planTries(requirements, forms, [], [leftOut]).filter((each) => each.leftOut !== undefined)
    expect(out.map(({ form, revision }) => [form, revision])).toEqual([
      ['plain', '2026-07-28'],
      ['plain', '2025-11-25'],
    ])
    expect(() => planTries(requirements, forms, [], [{ ...leftOut, scenario: 'cashing' }])).toThrow('no cashing')
  })

  test('has our own scenarios where there is no suite', () => {
    const tries = planTries(NOTHING, forms, AUTHORIZATION_SCENARIOS, [])
    expect(tries).toHaveLength(2 * AUTHORIZATION_SCENARIOS.length)
    expect(tries.every(({ side }) => side === 'authorization')).toBe(true)
  })

  test('takes forms, revisions and scenarios with --only', () => {
    const tries = planTries(requirements, forms, [], [])
    expect(choose(tries, ['plain', '2025-11-25', 'caching'])).toMatchObject([
      { form: 'plain', revision: '2025-11-25', scenario: 'caching' },
    ])
    expect(choose(tries, ['client'])).toHaveLength(4)
    expect(() => choose(tries, ['plane'])).toThrow('plane')
  })

  test('gives a reason for everything that is left out', () => {
    for (const { reason } of LEFT_OUT) expect(reason.length).toBeGreaterThan(20)
  })
})

describe('a verdict', () => {
  const good = { id: 'a', status: 'SUCCESS' } as const
  const ended = { code: 0, output: '' }

  test.each([
    ['all met', [good], ended, true],
    ['a warning', [good, { id: 'b', status: 'WARNING' } as const], { code: 1, output: 'Failed' }, true],
    ['a failure', [good, { id: 'b', status: 'FAILURE' } as const], { code: 1, output: '' }, false],
    ['nothing met', [{ id: 'b', status: 'SKIPPED' } as const], ended, false],
    ['no checks at all', [], ended, false],
    ['no result', undefined, { code: 1, output: 'cannot connect' }, false],
    ['killed', [good], { code: null, output: '' }, false],
    ['a client that failed', [good], { code: 1, output: 'CLIENT EXITED WITH ERROR (code 1)' }, false],
    ['a client that hung', [good], { code: 1, output: 'CLIENT TIMED OUT' }, false],
  ])('%s', (_, checks, how, passed) => {
    const verdict = judge(checks, how)
    expect(verdict.passed).toBe(passed)
    if (!passed) expect(verdict.remarks).not.toEqual([])
  })
})

test('the last line has the counts; a failure that counts fails the run, and so does a run of nothing', () => {
  const of = { side: 'server', form: 'plain', revision: '2026-07-28', leftOut: undefined } as const
  const verdict = { passed: false, met: 0, remarks: ['FAILURE x: why'] }
  const lines: string[] = []
  const tally = createTally((line) => void lines.push(line))
  tally.tried({ ...of, scenario: 'tasks', unscored: 'extension' }, verdict, 1)
  expect(tally.finish()).toBe(true)
  tally.tried({ ...of, scenario: 'ping', unscored: undefined }, verdict, 1)
  expect(tally.finish()).toBe(false)
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
    suite: 'conformance',
    server: { '2026-07-28': { passed: 0, failed: 1 }, '2025-11-25': { passed: 0, failed: 0 } },
  })
  expect(createTally(() => {}).finish()).toBe(false)
})
