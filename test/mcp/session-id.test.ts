/** Ids of legacy sessions: everything is in them, and nobody else has anything of them. */
import { describe, expect, it } from 'vitest'
import { createSealer, generateKey } from '../../src/core/sealing.ts'
import { createSessionIds, type Session, type UpstreamPlace } from '../../src/mcp/session-id.ts'

const [key, other] = [generateKey(), generateKey()]
const endpoint = 'https://github.example.com/mcp'
const here: UpstreamPlace = { server: 'dev/github', identity: 'alice', endpoint }
const session: Session = { revision: '2025-11-25', urlElicitation: true, upstreamId: '1868a90c-4f5e' }
const DAY = 24 * 3600_000

function make(keys = [key], purpose = 'session-id') {
  const clock = { at: 1_000, now: () => clock.at }
  return { clock, ids: createSessionIds(createSealer(keys, purpose), { clock, lifetimeMs: DAY, cached: 100 }) }
}
async function sealed(content: Session = session, place = here, { ids } = make()) {
  const id = await ids.seal(content, place)
  if (id === undefined) throw new Error('not sealed')
  return id
}

describe('B7 session ids', () => {
  it.each<Session>([
    session,
    { revision: '2025-03-26', urlElicitation: false, upstreamId: undefined },
    { revision: '2024-11-05', urlElicitation: false, upstreamId: '!~' },
    { revision: '2025-06-18', urlElicitation: true, upstreamId: 'x'.repeat(2048) },
  ])('any replica opens what another has sealed: %j', async (content) => {
    const id = await sealed(content)
    expect(id).toMatch(/^[!-~]+$/)
    const { ids } = make()
    // Once from the sealed text, once from what was kept.
    expect(await ids.open(id, here)).toEqual(content)
    expect(ids.open(id, here)).toEqual(content)
  })

  it('are short and say nothing', async () => {
    const id = await sealed()
    expect(id.length).toBeLessThan(256)
    for (const secret of ['github', 'alice', '1868a90c', '2025-11-25']) {
      expect(id).not.toContain(secret)
      for (const part of id.split('.')) expect(Buffer.from(part, 'base64url').toString('latin1')).not.toContain(secret)
    }
  })

  it('are never the same twice', async () => {
    expect(await sealed()).not.toBe(await sealed())
  })

  it.each<UpstreamPlace>([
    { server: 'dev/github', identity: 'alice', endpoint: 'https://github.example.org/mcp' },
    { server: 'dev/github', identity: 'alice', endpoint: '' },
    { server: 'dev/github', identity: 'bob', endpoint },
    { server: 'dev/gitlab', identity: 'alice', endpoint },
    { server: 'dev/github","alice', identity: '', endpoint },
    { server: 'dev', identity: 'github alice', endpoint },
    { server: 'alice', identity: 'dev/github', endpoint },
  ])('do not open for another caller or server, or for the same in another place: %j', async (place) => {
    const { ids } = make()
    const id = await sealed()
    expect(await ids.open(id, place)).toBeUndefined()
    // Nor when the right one was here before.
    expect(await ids.open(id, here)).toEqual(session)
    expect(await ids.open(id, place)).toBeUndefined()
    expect(await ids.open(id, here)).toEqual(session)
  })

  it('that have no id of the upstream are good wherever the server is', async () => {
    const content = { ...session, upstreamId: undefined }
    const id = await sealed(content)
    const { ids } = make()
    for (const at of ['https://github.example.org/mcp', endpoint])
      expect(await ids.open(id, { ...here, endpoint: at })).toEqual(content)
  })

  it('end', async () => {
    const { ids, clock } = make()
    const id = await sealed()
    clock.at += DAY - 1
    expect(await ids.open(id, here)).toEqual(session)
    clock.at += 1
    expect(await ids.open(id, here)).toBeUndefined()
    const fresh = make()
    fresh.clock.at += DAY
    expect(await fresh.ids.open(id, here)).toBeUndefined()
  })

  it('do not open with another key or purpose, and do with an older key', async () => {
    const id = await sealed()
    expect(await make([other]).ids.open(id, here)).toBeUndefined()
    expect(await make([key], 'request-state').ids.open(id, here)).toBeUndefined()
    expect(await make([other, key]).ids.open(id, here)).toEqual(session)
  })

  it('do not open when they are not ours', async () => {
    const id = await sealed()
    const { ids } = make()
    const wrong = [
      ...[
        '',
        'x',
        '...',
        'a.b.c',
        'a.b.c.d',
        'a.b.c.d.e',
        '1868a90c-4f5e',
        'null',
        '__proto__',
        'é',
        `${id} `,
        ` ${id}`,
      ],
      ...[`${id}.`, id.slice(0, -1), `${id.slice(0, -2)}${id.endsWith('AA') ? 'BB' : 'AA'}`, id.replace('.', '..')],
      ...['x'.repeat(100_000), `${id}\r\n`],
    ]
    for (const each of wrong) expect(await ids.open(each, here)).toBeUndefined()
  })

  it('do not open when something else is inside, as another version may have put it', async () => {
    const sealer = createSealer([key], 'session-id')
    const { ids } = make()
    const inside = { r: '2025-11-25', e: 9e15 }
    const seal = (value: unknown) => sealer.sealText(JSON.stringify(value), JSON.stringify(['dev/github', 'alice']))
    expect(await ids.open(await seal(inside), here)).toEqual({
      ...session,
      urlElicitation: false,
      upstreamId: undefined,
    })
    for (const value of [
      null,
      [],
      {},
      'x',
      { ...inside, r: '2026-07-28' },
      { ...inside, e: '9' },
      { ...inside, u: true },
      { ...inside, i: 1 },
      { ...inside, i: 'x' },
      { ...inside, i: 'x', o: 1 },
    ]) {
      expect(await ids.open(await seal(value), here)).toBeUndefined()
    }
  })

  it.each(['', 'a b', 'x\r\ny', 'x\0', 'é', 'x'.repeat(2049)])('are not made of %j', async (upstreamId) => {
    expect(await make().ids.seal({ ...session, upstreamId }, here)).toBeUndefined()
  })
})
