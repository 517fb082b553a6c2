/** The fixtures, each asked by a client with nothing in between: what fails here is not the gateway's fault. */
import assert from 'node:assert/strict'
import { startKeyServer } from '../support/identity-provider.ts'
import type { McpFixture } from '../support/mcp/calls.ts'
import { startEverythingServer } from '../support/mcp/everything-server.ts'
import { startPassThrough } from '../support/mcp/pass-through.ts'
import { startProtectedServer } from '../support/mcp/protected-server.ts'
import { startSdk1Server } from '../support/mcp/sdk1-server.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { WIDE_NUMBER } from '../support/mcp/wide-number.ts'
import type { ClientCase } from './client-case.ts'
import type { ClientKind } from './client-kind.ts'
import { SDK1_CLIENT } from './sdk1-client.ts'
import { SDK2_CLIENTS } from './sdk2-client.ts'
import { askWideNumber } from './wide-question.ts'

const KINDS = [...SDK2_CLIENTS, SDK1_CLIENT]

interface Fixture {
  readonly title: string
  readonly eras: readonly ('legacy' | 'modern')[]
  readonly start: () => Promise<McpFixture>
}

const BOTH = ['legacy', 'modern'] as const
const FIXTURES: readonly Fixture[] = [
  { title: 'SDK 2, both eras', eras: BOTH, start: () => startSdk2Server() },
  { title: 'SDK 2, both eras, JSON', eras: BOTH, start: () => startSdk2Server({ answers: 'json' }) },
  { title: 'SDK 2, both eras, SSE', eras: BOTH, start: () => startSdk2Server({ answers: 'sse' }) },
  { title: 'SDK 2, without sessions', eras: BOTH, start: () => startSdk2Server({ sessions: false }) },
  { title: 'SDK 2, modern only', eras: ['modern'], start: () => startSdk2Server({ eras: 'modern' }) },
  { title: 'SDK 2, legacy only', eras: ['legacy'], start: () => startSdk2Server({ eras: 'legacy' }) },
  { title: 'SDK 1', eras: ['legacy'], start: () => startSdk1Server() },
  { title: 'SDK 1, JSON', eras: ['legacy'], start: () => startSdk1Server({ json: true }) },
  { title: 'SDK 1, without sessions', eras: ['legacy'], start: () => startSdk1Server({ sessions: false }) },
  { title: 'SDK 2 behind a bare proxy', eras: BOTH, start: () => behindProxy() },
  { title: 'everything', eras: ['legacy'], start: () => startEverythingServer() },
]

/** They need no gateway. */
export const DIRECT_CASES: readonly ClientCase[] = [
  ...FIXTURES.map(({ title, eras, start }) => ({
    client: 'direct',
    title: `${title}: ${KINDS.filter((kind) => fits(kind, eras))
      .map(({ name }) => name)
      .join(', ')}`,
    run: () => withServer(start, (server) => tryAll(server, eras)),
  })),
  { client: 'direct', title: 'a number of 64 bits arrives as it is', run: () => wideNumber() },
  {
    client: 'direct',
    title: 'a protected server: challenge, metadata, and the right token only',
    run: () => guarded(),
  },
]

function fits(kind: ClientKind, eras: Fixture['eras']): boolean {
  return eras.includes(kind.era) || (kind.speaksLegacy && eras.includes('legacy'))
}

async function tryAll(server: McpFixture, eras: Fixture['eras']): Promise<void> {
  for (const kind of KINDS) {
    if (!fits(kind, eras)) {
      await assert.rejects(kind.open(server.url, {}), `${kind.name} should not get in`)
      continue
    }
    const client = await kind.open(server.url, {})
    try {
      const modern = kind.era === 'modern' && eras.includes('modern')
      assert.equal(client.version, modern ? '2026-07-28' : '2025-11-25')
      assert.equal((await client.tools())[0], 'echo')
      assert.match((await client.call('echo', { text: 'hello', message: 'hello' })).text, /hello$/)
    } finally {
      await client.close()
    }
  }
}

async function behindProxy(): Promise<McpFixture> {
  const server = await startSdk2Server()
  const proxy = await startPassThrough(server.url)
  return {
    ...proxy,
    async close() {
      await proxy.close()
      await server.close()
    },
  }
}

async function wideNumber(): Promise<void> {
  for (const answers of ['json', 'sse'] as const) {
    await withServer(
      () => startSdk2Server({ answers }),
      async ({ url }) => assert.equal(await askWideNumber(url), WIDE_NUMBER),
    )
  }
}

async function guarded(): Promise<void> {
  const issuer = await startKeyServer()
  const start = async () => startProtectedServer({ server: await startSdk2Server(), issuer: issuer.issuer })
  try {
    await withServer(start, async (server) => {
      const bare = await fetch(server.url, { method: 'POST' })
      assert.equal(bare.status, 401)
      const challenge = bare.headers.get('www-authenticate') ?? ''
      const [, metadata = ''] = /^Bearer resource_metadata="([^"]+)"$/.exec(challenge) ?? []
      const { authorization_servers: servers } = (await (await fetch(metadata)).json()) as Record<string, unknown>
      assert.deepEqual(servers, [issuer.issuer])
      const good = await issuer.sign({ aud: server.url, sub: 'ann' })
      for (const kind of KINDS) {
        const client = await kind.open(server.url, { token: good })
        assert.equal((await client.call('whoami')).text, 'ann')
        await client.close()
        await assert.rejects(kind.open(server.url, {}))
        const forAnother = await issuer.sign({ aud: 'https://elsewhere.example.com/mcp', sub: 'ann' })
        await assert.rejects(kind.open(server.url, { token: forAnother }))
      }
      server.revoke(good)
      await assert.rejects(SDK1_CLIENT.open(server.url, { token: good }))
    })
  } finally {
    await issuer.close()
  }
}

async function withServer<Server extends McpFixture>(
  start: () => Promise<Server>,
  use: (server: Server) => Promise<void>,
): Promise<void> {
  const server = await start()
  try {
    await use(server)
  } finally {
    await server.close()
  }
}
