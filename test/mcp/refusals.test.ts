/** What is said of things that a caller may know nothing of, and which methods need which access. */
import { describe, expect, it } from 'vitest'
import { methodAccess } from '../../src/mcp/methods.ts'
import { malformedTarget, unknownMethod, unknownTarget } from '../../src/mcp/refusals.ts'

describe('what is not there, and what is not granted', () => {
  it('is said as the revision says it', () => {
    const call = { id: 1, method: 'tools/call', params: { name: 'x"y' } }
    expect(unknownTarget(call, 'legacy')).toEqual({
      jsonrpc: '2.0',
      id: 1,
      error: { code: -32602, message: 'Unknown tool: x"y' },
    })
    const prompt = { id: 'a', method: 'prompts/get', params: { name: 'p' } }
    expect(unknownTarget(prompt, 'modern').error).toEqual({ code: -32602, message: 'Unknown prompt: p' })
    for (const method of ['resources/read', 'resources/subscribe']) {
      const read = { id: 2, method, params: { uri: 'notes://x' } }
      const error = { message: 'Resource not found', data: { uri: 'notes://x' } }
      expect(unknownTarget(read, 'legacy').error).toEqual({ code: -32002, ...error })
      expect(unknownTarget(read, 'modern').error).toEqual({ code: -32602, ...error })
    }
    const complete = { id: 3, method: 'completion/complete', params: { ref: { type: 'ref/prompt', name: 'p' } } }
    expect(unknownTarget(complete, 'legacy').error.message).toBe('Unknown prompt: p')
  })

  it('names the one of several that is meant', () => {
    const listen = {
      id: 4,
      method: 'subscriptions/listen',
      params: { notifications: { resourceSubscriptions: ['a:1', 'a:2'] } },
    }
    expect(unknownTarget(listen, 'modern', { kind: 'resource', name: 'a:2' }).error.data).toEqual({ uri: 'a:2' })
  })

  it('also of methods, and of what names nothing', () => {
    const error = { code: -32601, message: 'Method not found: x/y' }
    expect(unknownMethod(1, 'x/y').error).toEqual(error)
    expect(unknownTarget({ id: 1, method: 'x/y', params: undefined }, 'legacy').error).toEqual(error)
    expect(malformedTarget(1, 'params.name must be a text').error.code).toBe(-32602)
  })
})

describe('G15 methods', () => {
  it('that take no more than any access', () => {
    for (const method of [
      'initialize',
      'server/discover',
      'ping',
      'tools/list',
      'resources/templates/list',
      'notifications/initialized',
    ]) {
      expect(methodAccess(method)).toBe('any')
    }
  })
  it('that need what they name', () => {
    for (const method of [
      'tools/call',
      'prompts/get',
      'resources/read',
      'completion/complete',
      'subscriptions/listen',
    ]) {
      expect(methodAccess(method)).toBe('targets')
    }
  })
  it('that are not known need everything, however they are written', () => {
    for (const method of [
      'tools/Call',
      'tools/call ',
      'tasks/get',
      'x',
      'constructor',
      '__proto__',
      'notifications/unknown',
    ]) {
      expect(methodAccess(method)).toBe('everything')
    }
  })
})
