/** What answers show of the era of a server. */
import { describe, expect, it } from 'vitest'
import { createServerEras, eraShown } from '../../src/mcp/server-eras.ts'

const modern = (method = 'tools/list') => ({ era: 'modern', method }) as const
const legacy = { era: 'legacy', method: 'initialize' } as const
const error = (code: number) => ({ error: { code, message: 'x' } })

describe('an era is shown', () => {
  it('by results, which say what they are in the modern era', () => {
    expect(eraShown(modern(), 200, { result: { resultType: 'complete' } })).toBe('modern')
    expect(eraShown(modern(), 200, { result: { tools: [] } })).toBe('legacy')
    expect(eraShown(modern(), 200, undefined)).toBeUndefined()
  })
  it('by errors that only modern servers know, whatever was asked', () => {
    for (const code of [-32020, -32021, -32022]) {
      expect(eraShown(modern(), 400, error(code))).toBe('modern')
      expect(eraShown(legacy, 400, error(code))).toBe('modern')
    }
    expect(eraShown(modern(), 404, error(-32601))).toBe('modern')
  })
  it('by errors of servers that do not understand', () => {
    expect(eraShown(modern(), 400, error(-32000))).toBe('legacy')
    expect(eraShown(modern(), 400, undefined)).toBe('legacy')
    expect(eraShown(modern('server/discover'), 200, error(-32601))).toBe('legacy')
    expect(eraShown(modern('server/discover'), 404, error(-32601))).toBe('legacy')
  })
  it('not by what can come from either, or from what is in front', () => {
    expect(eraShown(modern(), 400, error(-32602))).toBeUndefined()
    for (const status of [403, 429, 500, 502, 503]) expect(eraShown(modern(), status, undefined)).toBeUndefined()
    expect(eraShown(legacy, 200, { result: {} })).toBeUndefined()
    expect(eraShown(legacy, 400, error(-32000))).toBeUndefined()
    expect(eraShown(modern(), 200, error(-32602))).toBeUndefined()
  })
})

describe('what is known', () => {
  it('is known by URL, for an hour; a modern server does not become an old one by an odd error', () => {
    const clock = { time: 0, now: () => clock.time }
    const eras = createServerEras(clock)
    const server = { id: 'a/b', url: new URL('http://a.example/mcp') }
    const other = { id: 'a/b', url: new URL('http://b.example/mcp') }
    expect(eras.of(server)).toBeUndefined()
    eras.learn(server, modern(), 400, undefined)
    expect([eras.of(server), eras.of(other)]).toEqual(['legacy', undefined])
    eras.learn(server, modern(), 200, { result: { resultType: 'complete' } })
    eras.learn(server, modern(), 400, undefined)
    expect(eras.of(server)).toBe('modern')
    clock.time = 60 * 60 * 1000
    expect(eras.of(server)).toBeUndefined()
  })
})
