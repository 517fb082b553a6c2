/** `requestState` of our own: for one caller, server and request, and cut out before a message goes on. */
import { describe, expect, it } from 'vitest'
import { createSealer, generateKey } from '../../src/core/sealing.ts'
import { parseMessages } from '../../src/mcp/messages.ts'
import { createRequestStates } from '../../src/mcp/request-state.ts'
import { isOwnInput, withoutOwnParts } from '../../src/mcp/state-cut.ts'

const keys = [generateKey()]
const place = { server: 'dev/github', identity: 'alice' }
const asked = { method: 'tools/call', params: { name: 'a', arguments: { x: 1, y: { b: [1], a: 2 } } } }

function setUp() {
  const clock = { time: 1_000_000, now: () => clock.time }
  const states = createRequestStates(createSealer(keys, 'request-state'), { clock, lifetimeMs: 60_000 })
  const again = (requestState: unknown, changes: object = {}) => ({
    method: asked.method,
    params: { ...asked.params, ...changes, requestState },
  })
  return { clock, states, again }
}

describe('a request state', () => {
  it('opens for the same request, written in another order, with another _meta', async () => {
    const { states, again } = setUp()
    const state = await states.seal(asked, place)
    const reordered = { y: { a: 2, b: [1] }, x: 1 }
    expect(await states.read(again(state, { arguments: reordered, _meta: { a: 1 }, inputResponses: {} }), place)).toBe(
      'ours',
    )
    expect(state).toMatch(/^[\w.-]+$/)
    expect(state).not.toContain('alice')
  })

  it('is bad for another caller, server, method, target or argument, when it is old, and when it was changed', async () => {
    const { clock, states, again } = setUp()
    const state = await states.seal(asked, place)
    expect(await states.read(again(state), { ...place, identity: 'mallory' })).toBe('bad')
    expect(await states.read(again(state), { ...place, server: 'dev/other' })).toBe('bad')
    expect(await states.read({ ...again(state), method: 'prompts/get' }, place)).toBe('bad')
    expect(await states.read(again(state, { name: 'b' }), place)).toBe('bad')
    for (const other of [{ x: 2, y: { b: [1], a: 2 } }, { x: 1 }, null, [['x', 1]], undefined]) {
      expect(await states.read(again(state, { arguments: other }), place)).toBe('bad')
    }
    expect(await states.read(again(`${state}x`), place)).toBe('bad')
    const [prefix = ''] = /^sallyport\.[^.]+\./.exec(state) ?? []
    expect(prefix).not.toBe('')
    expect(await states.read(again(prefix), place)).toBe('bad')
    expect(await states.read(again(prefix + 'x'.repeat(10_000)), place)).toBe('bad')
    const sealedForSomethingElse = await createSealer(keys, 'session-id').sealText(
      '{}',
      JSON.stringify(Object.values(place)),
    )
    expect(await states.read(again(prefix + sealedForSomethingElse), place)).toBe('bad')
    clock.time += 59_999
    expect(await states.read(again(state), place)).toBe('ours')
    clock.time += 1
    expect(await states.read(again(state), place)).toBe('bad')
  })

  it('of an upstream is none of ours, and so is none', async () => {
    const { states, again } = setUp()
    for (const state of ['theirs', '', 7, null, { sallyport: 1 }, 'sallyport.', 'sallyport.theirs', 'sallyport. x.y']) {
      expect(await states.read(again(state), place)).toBe('foreign')
    }
    expect(await states.read(asked, place)).toBe('none')
    expect(await states.read({ method: 'ping', params: undefined }, place)).toBe('none')
  })
})

describe('keys', () => {
  const statesOf = (...own: string[]) =>
    createRequestStates(createSealer(own, 'request-state'), { clock: { now: () => 0 }, lifetimeMs: 60_000 })
  const [ours = '', older = ''] = [generateKey(), generateKey()]
  const retry = (requestState: string) => ({ ...asked, params: { ...asked.params, requestState } })

  it('that are not ours say whose a state is: that of a gateway behind us goes on to it', async () => {
    const state = await statesOf(older).seal(asked, place)
    expect(await statesOf(ours).read(retry(state), place)).toBe('foreign')
    expect(await statesOf(ours).read(retry(state + 'x'.repeat(10_000)), place)).toBe('foreign')
  })

  it('can be rotated', async () => {
    const state = await statesOf(older).seal(asked, place)
    expect(await statesOf(ours, older).read(retry(state), place)).toBe('ours')
  })

  it('of two of ours cannot be mixed: the id in front is that of the key', async () => {
    const [mine, other] = [await statesOf(ours).seal(asked, place), await statesOf(older).seal(asked, place)]
    const [idOf, sealedOf] = [
      (state: string) => state.split('.')[1],
      (state: string) => state.split('.').slice(2).join('.'),
    ]
    const mixed = `sallyport.${idOf(mine)}.${sealedOf(other)}`
    expect(await statesOf(ours, older).read(retry(mixed), place)).toBe('bad')
  })
})

describe('what is cut out', () => {
  const cut = (text: string, state = true) => {
    const bytes = Buffer.from(text)
    expect(parseMessages(bytes).kind).toBe('messages')
    const out = Buffer.from(withoutOwnParts(bytes, { state, isOwnKey: isOwnInput })).toString()
    expect(parseMessages(Buffer.from(out)).kind).toBe('messages')
    return out
  }
  const around = (params: string) => `{ "jsonrpc":"2.0", "id":1,"params" : {${params}},"method":"tools/call" }`

  it('is the state and our responses, wherever they stand; all else stays byte for byte', () => {
    const name = '"name":"a"'
    const args = '"arguments": {"n":18446744073709551615,"requestState":"x","inputResponses":{"authorization-1":1}}'
    const state = '"requestState" : "s\\"}"'
    const ours = '"inputResponses": {"authorization-1":{"action":"accept"}, "authorization-2" :{}}'
    const kept = around(`${name},${args}`)
    for (const members of [
      [name, args, state, ours],
      [state, ours, name, args],
      [name, state, args, ours],
      [ours, name, state, args],
    ]) {
      for (const comma of [',', ' , ', '\n,\n']) {
        const out = cut(around(members.join(comma)))
        expect(JSON.parse(out.replace('18446744073709551615', '"wide"'))).toEqual(
          JSON.parse(kept.replace('18446744073709551615', '"wide"')),
        )
        expect(out).toContain(args)
      }
    }
    expect(cut(around(`${name},${state},${ours},${args}`))).toBe(kept)
    expect(cut(around(`${state},${ours}`))).toBe(around(''))
  })

  it("is not what is the upstream's", () => {
    const theirs = around(
      '"name":"a","inputResponses":{"city":{"action":"accept"},"authorization-1x":1},"requestState":"theirs"',
    )
    expect(cut(theirs, false)).toBe(theirs)
    const mixed = around(
      '"inputResponses":{"authorization-1":1,"city":2,"authorization-2":3,"zip":4,"authorization-3":5}',
    )
    expect(JSON.parse(cut(mixed))).toMatchObject({ params: { inputResponses: { city: 2, zip: 4 } } })
    expect(cut(mixed)).not.toContain('authorization')
    for (const odd of ['"inputResponses":{}', '"inputResponses":[1]', '"inputResponses":null', '']) {
      expect(cut(around(odd))).toBe(around(odd))
    }
    const none = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
    expect(cut(none)).toBe(none)
  })

  it('only out of what has been scanned', () => {
    expect(() => withoutOwnParts(Buffer.from('{"params":{'), { state: true, isOwnKey: isOwnInput })).toThrow(TypeError)
  })
})
