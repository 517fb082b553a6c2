/** G13: what somebody may use, as a method of the gateway, for pages of the host application's own. */
import type { Identity } from 'sallyport'
import { expect, test } from 'vitest'
import { identityId } from '../../src/identity/identity.ts'
import { startWorld, type World, type WorldOptions } from './world.ts'

const UPSTREAM = 'https://mcp.example.com/mcp'

async function open(options: WorldOptions = {}): Promise<World> {
  return startWorld({
    signIn: 'link',
    virtualAccounts: { ci: {} },
    servers: {
      'dev/notes': {
        id: 'notes',
        label: 'Notes',
        description: 'By page.',
        url: UPSTREAM,
        auth: {
          type: 'oauth2',
          clientId: 'x',
          authorizationUrl: 'https://auth.example.com/authorize',
          tokenUrl: 'https://auth.example.com/token',
          scopes: ['repo'],
        },
      },
      'data/hub': { url: UPSTREAM, auth: { type: 'header', headers: { authorization: 'the-shared-key' } } },
      'open/all': { url: UPSTREAM, auth: { type: 'none' } },
    },
    virtualServers: { 'team/all': { tools: { 'dev/notes': '*', 'open/all': '*' } } },
    access: [
      { to: 'group:corp/staff', on: ['dev/*', 'team/*'] },
      { to: 'user:corp/ann', on: 'data/hub', tools: ['search_*'] },
      { to: 'user:corp/ann', on: 'dev/notes', role: 'manage' },
      { to: 'virtual-account:ci', on: 'data/*', role: 'admin' },
      { to: 'anonymous', on: 'open/*' },
    ],
    ...options,
  })
}

function ann({ provider }: World): Identity {
  const id = identityId(provider.issuer, 'ann')
  return { id, integration: 'corp', subject: 'ann', groups: ['staff'], claims: {} }
}

test('servers and virtual servers, with what people may know of them and nothing of how they are reached', async () => {
  const world = await open()
  const servers = await world.gateway.servers.for(ann(world))
  expect(servers).toEqual([
    {
      name: 'dev/notes',
      kind: 'server',
      label: 'Notes',
      description: 'By page.',
      urls: [`${world.origin}/mcp/dev/notes/server`, `${world.origin}/api/llm/mcp/notes/server`],
      auth: 'oauth2',
      ownValues: false,
      scopes: ['repo'],
      members: [],
      role: 'manage',
      everything: true,
      byName: true,
      byKey: true,
    },
    expect.objectContaining({ name: 'data/hub', label: 'data/hub', role: 'use', everything: false, byName: true }),
    expect.objectContaining({ name: 'open/all', role: 'use', byName: false }),
    expect.objectContaining({
      name: 'team/all',
      kind: 'virtual',
      auth: 'virtual',
      require: 'all',
      members: [
        { name: 'dev/notes', label: 'Notes', auth: 'oauth2', ownValues: false, scopes: ['repo'] },
        { name: 'open/all', label: 'open/all', auth: 'none', ownValues: false, scopes: [] },
      ],
    }),
  ])
  expect(JSON.stringify(servers)).not.toMatch(/mcp\.example\.com|the-shared-key|auth\.example\.com/)
})

test('those of a virtual account, and of nobody who is known', async () => {
  const world = await open()
  const names = async (who: Parameters<typeof world.gateway.servers.for>[0]) =>
    (await world.gateway.servers.for(who)).map(({ name, role }) => `${name} ${role}`)
  expect(await names({ virtualAccount: 'ci' })).toEqual(['data/hub admin', 'open/all use'])
  expect(await names({ ...ann(world), subject: 'eve', groups: [] })).toEqual(['open/all use'])
  await expect(names({ virtualAccount: 'no-such' })).rejects.toMatchObject({ code: 'ERR_UNKNOWN_VIRTUAL_ACCOUNT' })
})

test('values of a header that are for some of them, at the server and at members, and nothing of what they are', async () => {
  const own = (to: string | string[]) => ({
    url: UPSTREAM,
    auth: {
      type: 'header',
      headers: { authorization: 'Bearer {{key}}' },
      values: { key: 'everybodys-key' },
      overrides: [
        { to: 'external-identity:agent', values: { key: 'the-key-of-agents' } },
        { to, values: { key: 'the-key-of-some' } },
      ],
    } as const,
  })
  const world = await open({
    virtualAccounts: { ci: { groups: ['batch'] } },
    externalIdentities: { agent: { integration: 'corp', claims: { agent: 'yes' } } },
    servers: {
      'data/ci': own(['group:corp/staff', 'virtual-account:c*']),
      'data/batch': own('group:virtual-account/batch'),
      'data/all': own('anonymous'),
      'data/other': own('virtual-account:ci2'),
    },
    virtualServers: { 'team/all': { tools: { 'data/batch': '*', 'data/ci': '*' } } },
    access: [{ to: 'anonymous', on: '*' }],
  })
  const found = async (who: Parameters<typeof world.gateway.servers.for>[0]) => {
    const servers = await world.gateway.servers.for(who)
    expect(JSON.stringify(servers)).not.toContain('-key')
    return servers.flatMap((server) => [server, ...server.members]).flatMap((each) => (each.ownValues ? each.name : []))
  }
  expect(await found({ virtualAccount: 'ci' })).toEqual(['data/ci', 'data/batch', 'data/batch', 'data/ci'])
  expect(await found(ann(world))).toEqual(['data/ci', 'data/ci'])
  expect(await found({ ...ann(world), groups: [] })).toEqual([])
})

test('a function of the user’s own decides here too, and where it fails nothing is said', async () => {
  let fails = false
  const world = await open({
    decide({ server, granted }) {
      if (fails) throw new Error('the policy service is away')
      return granted.allowed && server !== 'dev/notes'
    },
  })
  const found = await world.gateway.servers.for(ann(world))
  expect(found.map(({ name }) => name)).toEqual(['data/hub', 'open/all', 'team/all'])
  fails = true
  await expect(world.gateway.servers.for(ann(world))).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE' })
})

test('a function of the user’s own takes roles away, and gives nobody a role that no grant gives', async () => {
  const asked: string[] = []
  const world = await open({
    decide({ server, wanted }) {
      if (wanted.kind !== 'connect') asked.push(`${wanted.kind} ${server}`)
      return wanted.kind !== 'manage'
    },
  })
  const roles = async (who: Parameters<typeof world.gateway.servers.for>[0]) =>
    (await world.gateway.servers.for(who)).map(({ name, role }) => `${name} ${role}`)
  expect(await roles(ann(world))).toEqual(['dev/notes use', 'data/hub use', 'open/all use', 'team/all use'])
  expect(asked).toEqual(['manage dev/notes'])
  expect(await roles({ virtualAccount: 'ci' })).toContain('data/hub admin')
  const explained = await world.gateway.explain(ann(world), 'open/all', { kind: 'admin' })
  expect(explained.allowed).toBe(false)
})

test('people are found by id, e-mail address and subject, as they were when they were last seen', async () => {
  const world = await open()
  const { gateway } = world
  const me = await gateway.identify(`Bearer ${await world.jwt('ann', { groups: ['staff'] })}`)
  for (const text of [me?.id ?? '', 'ANN@example.com', 'ann']) {
    expect([text, await gateway.people.find(text)]).toMatchObject([
      text,
      [{ id: me?.id, subject: 'ann', integration: 'corp', email: 'ann@example.com', claims: {} }],
    ])
  }
  for (const text of ['', 'an', '*', 'x'.repeat(43)]) expect(await gateway.people.find(text)).toEqual([])
})
