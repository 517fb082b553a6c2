/** What fails while somebody is being asked to consent is answered like any other outage: to the request that it was about. */
import { StoreError } from 'sallyport'
import { describe, expect, test } from 'vitest'
import type { Call } from '../../src/gateway/call-step.ts'
import { type CredentialStepParts, createCredentialStep } from '../../src/gateway/credential-step.ts'
import { parseMessages } from '../../src/mcp/messages.ts'

const SINGLE = '{"jsonrpc":"2.0","id":42,"method":"tools/call","params":{"name":"t"}}'
const BATCH = `[${SINGLE},{"jsonrpc":"2.0","id":43,"method":"ping"}]`
const FIRST = { kind: 'credential', credential: 'oauth2', stamp: 'first', headers: {} }
const NEED = { kind: 'authorization_required', need: { kind: 'visit', urls: ['https://gw.example.com/connect/1'] } }

const down = async () => {
  throw new StoreError('the store is away')
}

/** An upstream that takes no token, and a store that is away when somebody is to be asked. */
function parts(refused: readonly string[] = []): CredentialStepParts {
  const relay = {
    send: async () => ({ kind: 'unauthorized', challenge: undefined, upstreamStatus: 401 }),
    eraOf: () => undefined,
  }
  return {
    permissions: { lists: () => undefined },
    relay,
    requestStates: { seal: down },
    broker: { connectUrl: down, stepUp: async () => undefined },
    refusedTokens: { has: (stamp: string) => refused.includes(stamp), add() {} },
  } as unknown as CredentialStepParts
}

/** A call of a person for whom `found` are the credentials, one after the other. */
function call(text: string, found: readonly unknown[], era: object): Call {
  const left = [...found]
  const request = { headers: {}, rawHeaders: [], method: 'POST', gone: { aborted: false } }
  const credentials = { resolve: () => left.shift() }
  return {
    exchange: { request, state: { credentials }, credential: undefined, upstreamStatus: null },
    server: { name: 'dev/one', relay: {}, config: {} },
    asker: { caller: { kind: 'person', identity: { id: 'ann' } }, principals: [] },
    era,
    session: undefined,
    place: { server: 'dev/one', identity: 'ann' },
    body: { bytes: Buffer.from(text), messages: parseMessages(Buffer.from(text)) },
  } as unknown as Call
}

const LEGACY = { era: 'legacy', revision: '2025-03-26', capabilities: undefined }
const MODERN = { era: 'modern', revision: '2026-07-28', capabilities: { elicitation: { url: {} } } }

describe('503 with the id of the request', () => {
  test.each<[string, CredentialStepParts, readonly unknown[], object]>([
    ['a token that has been refused before is refused again', parts(['first']), [FIRST], LEGACY],
    ['a refused token cannot be renewed', parts(), [FIRST, FIRST], LEGACY],
    ['a renewed token is refused, too', parts(), [FIRST, { ...FIRST, stamp: 'second' }], LEGACY],
    ['what the client is to bring back cannot be sealed', parts(), [NEED], MODERN],
    ['that cannot be done once a token has been refused', parts(), [FIRST, NEED], MODERN],
  ])('where %s', async (_, step, found, era) => {
    const { reply, outcome } = await createCredentialStep(step)(call(SINGLE, found, era))
    expect(outcome).toBe('failed')
    expect(reply.status).toBe(503)
    expect(JSON.parse(String(reply.body))).toMatchObject({ id: 42, error: { code: 5030 } })
  })

  test('and of each request of a batch', async () => {
    const { reply } = await createCredentialStep(parts(['first']))(call(BATCH, [FIRST], LEGACY))
    expect(JSON.parse(String(reply.body))).toMatchObject([{ id: 42 }, { id: 43 }])
  })
})
