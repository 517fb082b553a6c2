/** G5, B6: prompts, resources, templates and completion of several servers under one endpoint. */
import { describe, expect, test } from 'vitest'
import { CLIENTS, client1, type client2, during, MEMBERS, open, startVirtual } from './virtual-parts.ts'
import { ask, openSession, rpc } from './world.ts'

const KINDS = ['SDK 1 with sessions', 'SDK 2, modern', 'SDK 2, legacy'] as const

describe.each(Object.keys(CLIENTS) as (keyof typeof CLIENTS)[])('B6 a client on %s', (client) => {
  test.each(KINDS)('has prompts and resources of a member on %s', async (kind) => {
    const member = await during(MEMBERS[kind]())
    const { url, token } = await startVirtual(
      { 'dev/one': open(member.url) },
      {
        tools: {},
        prompts: { 'dev/one': { rename: { greet: 'welcome' } } },
        resources: { 'dev/one': ['notes://*'] },
      },
    )
    const connected = (await CLIENTS[client](url, token)) as Awaited<ReturnType<typeof client2>>
    expect((await connected.listPrompts()).prompts.map(({ name }) => name)).toEqual(['welcome'])
    const prompt = await connected.getPrompt({ name: 'welcome', arguments: { name: 'Ann' } })
    expect(JSON.stringify(prompt.messages)).toContain('Greet Ann.')
    expect((await connected.listResources()).resources.map(({ uri }) => uri)).toEqual(['notes://readme'])
    expect((await connected.readResource({ uri: 'notes://readme' })).contents).toMatchObject([{ text: 'read me' }])
    await expect(connected.getPrompt({ name: 'greet' })).rejects.toThrow()
    await expect(connected.readResource({ uri: 'other://thing' })).rejects.toThrow(/not found/i)
    const server = connected.getServerCapabilities()
    expect(server).toMatchObject({ prompts: {}, resources: {} })
    expect(server?.tools).toBeUndefined()
  })
})

test('resources of two members that are equal are told apart, and templates lead to their member', async () => {
  const one = await during(MEMBERS['SDK 2, legacy']())
  const two = await during(MEMBERS['SDK 2, modern']())
  const { url, token } = await startVirtual(
    { 'dev/one': open(one.url), 'dev/two': open(two.url) },
    { tools: {}, resources: { 'dev/one': ['notes://readme'], 'dev/two': '*' } },
  )
  const headers = await openSession(url, token)
  const call = async (method: string, params?: object) =>
    (await rpc(url, { token, headers, body: ask(method, params) })).json
  const { resources } = (await call('resources/list')).result
  const uris = resources.map(({ uri }: { uri: string }) => uri)
  expect(uris).toEqual(['notes://readme', 'mcp-member://dev/two/notes%3A%2F%2Freadme'])
  const { resourceTemplates } = (await call('resources/templates/list')).result
  expect(resourceTemplates.map(({ uriTemplate }: { uriTemplate: string }) => uriTemplate)).toEqual([
    'notes://notes/{id}',
  ])
  const reads = (member: { calls: { rpc: string | undefined }[] }) =>
    member.calls.filter(({ rpc: method }) => method === 'resources/read').length
  for (const [uri, expected] of [
    [uris[0], [1, 0]],
    [uris[1], [1, 1]],
    ['notes://notes/7', [1, 2]],
  ] as const) {
    const { result } = await call('resources/read', { uri })
    expect(result.contents[0].text).toMatch(/read me|note 7/)
    expect([reads(one), reads(two)]).toEqual(expected)
  }
  const missing = await call('resources/read', { uri: 'x://y' })
  expect(missing.error).toMatchObject({ code: -32002, data: { uri: 'x://y' } })
})

test('the second of two equal templates is expanded and read at its own member', async () => {
  const [one, two] = [await during(MEMBERS['SDK 2, legacy']()), await during(MEMBERS['SDK 2, modern']())]
  const { url, token } = await startVirtual(
    { 'dev/one': open(one.url), 'dev/two': open(two.url) },
    { tools: {}, resources: { 'dev/one': '*', 'dev/two': '*' } },
  )
  const headers = await openSession(url, token)
  const call = async (method: string, params?: object) =>
    (await rpc(url, { token, headers, body: ask(method, params) })).json.result
  const { resourceTemplates } = await call('resources/templates/list')
  expect(resourceTemplates[1].uriTemplate).toBe('mcp-member://dev/two/notes://notes/{id}')
  const { contents } = await call('resources/read', { uri: resourceTemplates[1].uriTemplate.replace('{id}', '7') })
  expect(contents[0].text).toContain('note 7')
  expect(two.calls.some(({ rpc: method }) => method === 'resources/read')).toBe(true)
})

test('what is subscribed to is told', async () => {
  const one = await during(MEMBERS['SDK 2, legacy']())
  const { url, token } = await startVirtual({ 'dev/one': open(one.url) }, { tools: {}, resources: { 'dev/one': '*' } })
  const client = await client1(url, token)
  const { ResourceUpdatedNotificationSchema } = await import('@modelcontextprotocol/sdk/types.js')
  const told = new Promise<string>((resolve) => {
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => resolve(params.uri))
  })
  await client.subscribeResource({ uri: 'notes://readme' })
  await one.call(({ method, status }) => method === 'GET' && status === 200)
  await one.resourceUpdated('notes://readme')
  expect(await told).toBe('notes://readme')
  await client.unsubscribeResource({ uri: 'notes://readme' })
})

test('levels of logging reach members, and a bad one is refused', async () => {
  const one = await during(MEMBERS['SDK 2, legacy']())
  const { url, token } = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': '*' } })
  const headers = await openSession(url, token)
  await rpc(url, { token, headers, body: ask('tools/list') })
  const answer = await rpc(url, { token, headers, body: ask('logging/setLevel', { level: 'warning' }) })
  expect(answer.json.result).toEqual({})
  const call = await one.call(({ rpc: method }) => method === 'logging/setLevel')
  expect(JSON.parse(call.body).params).toEqual({ level: 'warning' })
  const bad = await rpc(url, { token, headers, body: ask('logging/setLevel', { level: 'loud' }) })
  expect(bad.json.error.code).toBe(-32602)
})

test('ping, batches and unknown methods are answered here', async () => {
  const one = await during(MEMBERS['SDK 1 in JSON, without sessions']())
  const { url, token } = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': '*' } })
  const headers = await openSession(url, token, '2025-03-26')
  const echo = (id: number) => ask('tools/call', { name: 'echo', arguments: { text: `t${id}` } }, id)
  const body = [ask('ping', undefined, 1), echo(2), echo(3), { jsonrpc: '2.0', method: 'notifications/initialized' }]
  const batch = await rpc(url, { token, headers, body })
  expect(batch.json).toMatchObject([
    { id: 1, result: {} },
    { id: 2, result: { content: [{ text: 't2' }] } },
    { id: 3, result: { content: [{ text: 't3' }] } },
  ])
  const unknown = await rpc(url, { token, headers, body: ask('tasks/list') })
  expect(unknown.json.error.code).toBe(-32601)
})
