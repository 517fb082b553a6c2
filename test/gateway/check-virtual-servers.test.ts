/** G5, G23: what is wrong with virtual servers in a configuration, and their changes while it runs. */
import { ConfigError } from 'sallyport'
import { describe, expect, test } from 'vitest'
import { checkVirtualServers } from '../../src/gateway/virtual/check.ts'
import { during, MEMBERS, open, startVirtual } from './virtual-parts.ts'
import { ask, openSession, rpc, startWorld } from './world.ts'

const SERVERS = ['dev/one', 'dev/two']
function problemsOf(virtual: unknown): string[] {
  const problems: { path: string; message: string }[] = []
  checkVirtualServers({ 'team/all': virtual }, SERVERS, problems)
  return problems.map(({ path, message }) => `${path.replace('virtualServers["team/all"]', '')}: ${message}`)
}

describe('a problem is', () => {
  test.each<[string, unknown, RegExp]>([
    [
      'an unknown key',
      { tools: { 'dev/one': '*' }, requires: 'all' },
      /unknown key "requires"; did you mean "require"/,
    ],
    ['no tools', {}, /^\.tools: required/],
    ['nothing at all', { tools: {} }, /must not be empty/],
    ['an unknown member', { tools: { 'dev/onee': '*' } }, /no server named "dev\/onee"; did you mean "dev\/one"\?/],
    ['another word than all', { tools: { 'dev/one': 'all' } }, /expected "\*" or a list/],
    ['a pattern with three stars', { tools: { 'dev/one': ['a*b*c*'] } }, /at most two|at most 2 stars|expected "\*"/],
    ['an empty list', { tools: { 'dev/one': [] } }, /must not be empty|expected "\*"/],
    ['an unknown key of a selection', { tools: { 'dev/one': { prefx: 'a' } } }, /did you mean "prefix"/],
    ['a prefix that is no name', { tools: { 'dev/one': { prefix: 'a b' } } }, /\.prefix: a name has/],
    ['a name that is none', { tools: { 'dev/one': { rename: { a: '<b>' } } } }, /rename\.a: "<b>": a name has/],
    ['two of one name', { tools: { 'dev/one': { rename: { a: 'x', b: 'x' } } } }, /"x" is what "a" is called already/],
    [
      'a name that is included already',
      { tools: { 'dev/one': { include: ['x'], rename: { a: 'x' } } } },
      /"x" is a name among those in include already/,
    ],
    [
      'a name that is included with its prefix already',
      { tools: { 'dev/one': { include: ['read', 'list'], prefix: 'p_', rename: { wipe: 'p_read' } } } },
      /rename\.wipe: "p_read" is what "read" in include is called already/,
    ],
    [
      'a name of two members',
      { tools: { 'dev/one': ['search'], 'dev/two': { rename: { find: 'search' } } } },
      /"search" is there twice, of dev\/one and of dev\/two/,
    ],
    ['a prefix of resources', { tools: {}, resources: { 'dev/one': { prefix: 'a' } } }, /expected "\*" or a list/],
    ['require', { tools: { 'dev/one': '*' }, require: 'some' }, /expected one of "all", "any"/],
  ])('%s', (_, virtual, words) => {
    const problems = problemsOf(virtual)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(words)
  })
})

test('what is right has none', () => {
  const tools = {
    'dev/one': ['get_*', 'search'],
    'dev/two': {
      include: ['*', 'read', 'wipe'],
      prefix: 'two_',
      rename: { search: 'find', read: 'see', wipe: 'two_read' },
    },
  }
  expect(problemsOf({ tools, prompts: { 'dev/one': '*' }, resources: { 'dev/two': ['file:///*'] }, id: 'x' })).toEqual(
    [],
  )
})

test('a name or id that a server has is one', async () => {
  const servers = { 'dev/one': open('http://127.0.0.1:1/'), 'dev/two': open('http://127.0.0.1:2/', { id: 'two' }) }
  const tools = { 'dev/one': '*' } as const
  const error = await startWorld({
    servers,
    virtualServers: { 'dev/one': { tools }, 'a/b': { tools, id: 'two' } },
  }).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ConfigError)
  expect((error as ConfigError).problems.map(({ path }) => path)).toEqual([
    'virtualServers["dev/one"]',
    'virtualServers["a/b"].id',
  ])
})

describe('G23 while it runs', () => {
  test('a virtual server comes, changes and goes', async () => {
    const one = await during(MEMBERS['SDK 2, modern']())
    const world = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': ['echo'] } })
    const { gateway, config, token } = world
    const { servers, access = [] } = config
    const listed = async (url: string) => {
      const headers = await openSession(url, token)
      const { json } = await rpc(url, { token, headers, body: ask('tools/list') })
      return json.result.tools.map(({ name }: { name: string }) => name)
    }
    expect(await listed(world.url)).toEqual(['echo'])
    const tools = { 'dev/one': { include: ['echo'], prefix: 'x_' } }
    await gateway.configure({ servers, access, virtualServers: { 'team/all': { tools, id: 'everything' } } })
    expect(await listed(world.url)).toEqual(['x_echo'])
    expect(await listed(`${world.origin}/api/llm/mcp/everything/server`)).toEqual(['x_echo'])
    expect(gateway.endpoints().find(({ server }) => server === 'team/all')?.urls).toHaveLength(2)
    // A member cannot go as long as something has it.
    await expect(gateway.servers.remove('dev/one')).rejects.toThrow('no server named "dev/one"')
    await gateway.configure({ servers, access: [] })
    expect((await rpc(world.url, { token, body: ask('tools/list') })).status).toBe(404)
  })
})
