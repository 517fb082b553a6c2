/** What a message is about. */
import { describe, expect, it } from 'vitest'
import { isToolName, nameProblem, targetsOf } from '../../src/mcp/targets.ts'

describe('G15 what a message names', () => {
  it.each<[string, Record<string, unknown> | undefined, [string, string][]]>([
    ['tools/call', { name: 'get_weather', arguments: {} }, [['tool', 'get_weather']]],
    ['prompts/get', { name: 'review' }, [['prompt', 'review']]],
    ['resources/read', { uri: 'file:///a' }, [['resource', 'file:///a']]],
    ['resources/subscribe', { uri: 'file:///a' }, [['resource', 'file:///a']]],
    ['resources/unsubscribe', { uri: 'file:///a' }, [['resource', 'file:///a']]],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'review' } }, [['prompt', 'review']]],
    ['completion/complete', { ref: { type: 'ref/resource', uri: 'file:///{x}' } }, [['resource', 'file:///{x}']]],
    [
      'subscriptions/listen',
      { notifications: { toolsListChanged: true, resourceSubscriptions: ['a:1', 'a:2'] } },
      [
        ['resource', 'a:1'],
        ['resource', 'a:2'],
      ],
    ],
    ['subscriptions/listen', { notifications: {} }, []],
    ['tools/list', undefined, []],
    ['initialize', { name: 'x' }, []],
    ['ping', undefined, []],
    ['constructor', { name: 'x' }, []],
  ])('%s %j', (method, params, targets) => {
    expect(targetsOf(method, params)).toEqual({
      kind: 'targets',
      targets: targets.map(([kind, name]) => ({ kind, name })),
    })
  })

  it.each<[string, Record<string, unknown> | undefined]>([
    ['tools/call', undefined],
    ['tools/call', {}],
    ['tools/call', { name: 1 }],
    ['tools/call', { name: ['x'] }],
    ['tools/call', { name: '' }],
    ['tools/call', { name: 'delete_all\0_read' }],
    ['tools/call', { name: 'x\r\ny' }],
    ['tools/call', { name: 'x\ud800' }],
    ['tools/call', { name: 'x'.repeat(5000) }],
    ['prompts/get', { uri: 'x' }],
    ['resources/read', { name: 'x' }],
    ['resources/read', { uri: 'file:///a\0' }],
    ['completion/complete', {}],
    ['completion/complete', { ref: { type: 'ref/tool', name: 'x' } }],
    ['completion/complete', { ref: { type: 'ref/prompt', uri: 'x' } }],
    ['subscriptions/listen', {}],
    ['subscriptions/listen', { notifications: [] }],
    ['subscriptions/listen', { notifications: { resourceSubscriptions: 'a:1' } }],
    ['subscriptions/listen', { notifications: { resourceSubscriptions: ['a:1', 2] } }],
  ])('%s %j is malformed', (method, params) => {
    expect(targetsOf(method, params)).toMatchObject({ kind: 'malformed', detail: expect.any(String) })
  })

  it('subscriptions/listen names a thousand resources at most', () => {
    const listen = (count: number) => ({ notifications: { resourceSubscriptions: Array(count).fill('a:1') } })
    expect(targetsOf('subscriptions/listen', listen(1_000)).kind).toBe('targets')
    expect(targetsOf('subscriptions/listen', listen(1_001)).kind).toBe('malformed')
  })

  it('knows names that the specification wants', () => {
    for (const name of ['getUser', 'DATA_EXPORT_v2', 'admin.tools.list', 'a-b', 'x'.repeat(128)]) {
      expect(isToolName(name)).toBe(true)
      expect(nameProblem(name)).toBeUndefined()
    }
    for (const name of ['', 'a b', 'a,b', 'a/b', 'ä', 'x\n', 'x'.repeat(129)]) expect(isToolName(name)).toBe(false)
  })
})
