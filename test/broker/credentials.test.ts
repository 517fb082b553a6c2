/** The credential of a call (G6, G7, G8, G10, G11, G12, G14, G16). */
import { describe, expect, it } from 'vitest'
import { principalsOf } from '../../src/access/principals.ts'
import type { Broker, ConnectRequest } from '../../src/broker/broker.ts'
import type { CredentialRequest } from '../../src/broker/credential.ts'
import { type CredentialSettings, createCredentials } from '../../src/broker/credentials.ts'
import type { UpstreamTokens } from '../../src/broker/tokens.ts'
import type { UpstreamAuth } from '../../src/broker/upstream-auth.ts'
import { FetchError, SealError, SecretError, StoreError } from '../../src/core/errors.ts'
import type { Caller } from '../../src/identity/caller.ts'
import { ANONYMOUS, identityId, virtualAccountId } from '../../src/identity/identity.ts'
import type { FoundTokens } from '../../src/store/refresher.ts'

const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln'

const ann: Caller = {
  kind: 'person',
  via: 'jwt',
  jwt: JWT,
  externalIdentities: [],
  identity: {
    id: identityId('https://login.example.com/', 'ann'),
    integration: 'corp',
    subject: 'ann',
    groups: ['engineering'],
    claims: { sub: 'ann', aud: ['gateway', 'orders-api'] },
  },
}
const { jwt: _, ...withoutJwt } = ann
const annWithKey: Caller = { ...withoutJwt, via: 'personal_token', keyId: 'k1' }
const ci: Caller = {
  kind: 'virtual-account',
  via: 'virtual_account_token',
  keyId: 'k2',
  externalIdentities: [],
  identity: { id: virtualAccountId('ci'), integration: 'virtual-account', subject: 'ci', groups: [], claims: {} },
}
const nobody: Caller = {
  kind: 'anonymous',
  via: 'none',
  externalIdentities: [],
  identity: {
    id: identityId(ANONYMOUS, ANONYMOUS),
    integration: ANONYMOUS,
    subject: ANONYMOUS,
    groups: [],
    claims: {},
  },
}

const auths: Record<string, UpstreamAuth> = {
  'public/wiki': { type: 'none' },
  'data/hub': {
    type: 'header',
    headers: { Authorization: 'Bearer {{token}}', 'X-Org': 'acme' },
    values: { token: 'hub-token' },
    overrides: [{ to: 'virtual-account:ci', values: { token: 'ci-token' } }],
  },
  'data/broken': { type: 'header', headers: { 'x-api-key': { secret: 'missing' } } },
  'dev/github': { type: 'oauth2', clientId: 'c', issuer: 'https://github.example.com' },
  'core/orders': { type: 'passthrough' },
  'core/billing': { type: 'passthrough', audience: ['billing-api', 'billing'] },
  'core/stock': { type: 'passthrough', audience: 'orders-api' },
}

const tokens = (accessToken: string): FoundTokens<UpstreamTokens> => ({
  kind: 'tokens',
  stamp: `stamp of ${accessToken.length}`,
  connection: `connection of ${accessToken.length}`,
  tokens: {
    server: 'dev/github',
    issuer: 'https://github.example.com',
    clientId: 'c',
    resource: null,
    accessToken,
    connectedAt: 0,
  },
})

/** A broker with these connections by owner, which remembers what it was asked. */
function brokerWith(connections: Readonly<Record<string, FoundTokens<UpstreamTokens>>>) {
  const looked: Parameters<Broker['tokens']>[] = []
  const links: ConnectRequest[] = []
  const broker: Pick<Broker, 'tokens' | 'connectUrl'> = {
    async tokens(...question) {
      looked.push(question)
      return connections[question[0]] ?? { kind: 'none' }
    },
    async connectUrl(request) {
      links.push(request)
      return `https://gw.example.com/connect/${links.length}`
    },
  }
  return { broker, looked, links }
}

function credentialsWith(broker: CredentialSettings['broker'], more: Partial<CredentialSettings> = {}) {
  const servers = Object.entries(auths).map(([id, auth]) => ({ id, url: `https://mcp.example.com/${id}`, auth }))
  return createCredentials({ servers, broker, secrets: async () => undefined, ...more })
}

function ask(caller: Caller, server: string, sent?: object | string, more: Partial<CredentialRequest> = {}) {
  const field = typeof sent === 'object' ? JSON.stringify(sent) : sent
  return {
    caller,
    principals: principalsOf(caller),
    server,
    headers: { authorization: 'Bearer own', cookie: 'a=b', ...(field && { 'x-tfy-mcp-headers': field }) },
    ...more,
  }
}

const { broker: empty } = brokerWith({})

describe('G6 none', () => {
  it('has nothing, whoever calls, and nothing of what they came with', async () => {
    for (const caller of [ann, annWithKey, ci, nobody]) {
      expect(await credentialsWith(empty).resolve(ask(caller, 'public/wiki'))).toEqual({
        kind: 'credential',
        credential: 'none',
        headers: {},
        stamp: undefined,
      })
    }
  })
})

describe('G7 header', () => {
  it('is the same for everybody but those with an override', async () => {
    const credentials = credentialsWith(empty)
    for (const [caller, token] of [
      [ann, 'hub-token'],
      [nobody, 'hub-token'],
      [ci, 'ci-token'],
    ] as const) {
      expect(await credentials.resolve(ask(caller, 'data/hub'))).toEqual({
        kind: 'credential',
        credential: 'header',
        headers: { authorization: `Bearer ${token}`, 'x-org': 'acme' },
        stamp: undefined,
      })
    }
  })

  it('G18 is unavailable while a secret cannot be had, and ready() says so', async () => {
    const credentials = credentialsWith(empty)
    expect(await credentials.resolve(ask(ann, 'data/broken'))).toEqual({
      kind: 'unavailable',
      retryAfterMs: 1_000,
      detail: 'the secret "missing" is not set',
    })
    await expect(credentials.ready()).rejects.toThrow(new SecretError('the secret "missing" is not set'))
    // One server's trouble is not another's.
    expect((await credentials.resolve(ask(ann, 'data/hub'))).kind).toBe('credential')
  })

  it('ready() names all secrets that are missing, each once', async () => {
    const header = (secret: string): UpstreamAuth => ({ type: 'header', headers: { 'x-a': { secret } } })
    const servers = ['one', 'two', 'one', 'env:SALLYPORT_NOT_SET'].map((secret, index) => ({
      id: `a/${index}`,
      url: 'https://mcp.example.com/mcp',
      auth: header(secret),
    }))
    await expect(credentialsWith(empty, { servers }).ready()).rejects.toThrow(
      new SecretError(
        'the secret "one" is not set; the secret "two" is not set; the secret "env:SALLYPORT_NOT_SET" is not set',
      ),
    )
    const fine = credentialsWith(empty, { servers, secrets: () => 'x' })
    await expect(fine.ready()).rejects.toThrow(new SecretError('the secret "env:SALLYPORT_NOT_SET" is not set'))
    await expect(credentialsWith(empty, { servers: servers.slice(0, 3), secrets: () => 'x' }).ready()).resolves.toBe(
      undefined,
    )
  })
})

describe('G8 oauth2', () => {
  it("G14 is the caller's own token, by whatever they came in with", async () => {
    const { broker, looked, links } = brokerWith({
      [ann.identity.id]: tokens('ann-token'),
      [ci.identity.id]: tokens('ci'),
    })
    const credentials = credentialsWith(broker)
    for (const caller of [ann, annWithKey]) {
      expect(await credentials.resolve(ask(caller, 'dev/github'))).toEqual({
        kind: 'credential',
        credential: 'oauth2',
        headers: { authorization: 'Bearer ann-token' },
        stamp: 'stamp of 9',
        connection: 'connection of 9',
      })
    }
    expect(await credentials.resolve(ask(ci, 'dev/github'))).toMatchObject({ headers: { authorization: 'Bearer ci' } })
    const at = { url: 'https://mcp.example.com/dev/github' }
    expect(looked).toEqual([
      [ann.identity.id, 'dev/github', at],
      [ann.identity.id, 'dev/github', at],
      [ci.identity.id, 'dev/github', at],
    ])
    expect(links).toEqual([])
  })

  it('says which token the upstream has refused', async () => {
    const { broker, looked } = brokerWith({ [ann.identity.id]: tokens('new') })
    await credentialsWith(broker).resolve(ask(ann, 'dev/github', undefined, { rejected: 'stamp of 7' }))
    const url = 'https://mcp.example.com/dev/github'
    expect(looked).toEqual([[ann.identity.id, 'dev/github', { url, rejected: 'stamp of 7' }]])
  })

  it.each(['none', 'revoked', 'reauth_required'] as const)(
    'G16 %s: a person gets a link of their own',
    async (kind) => {
      const { broker, links } = brokerWith({ [ann.identity.id]: { kind } })
      for (const caller of [ann, annWithKey]) {
        expect(await credentialsWith(broker).resolve(ask(caller, 'dev/github'))).toMatchObject({
          kind: 'authorization_required',
          need: { kind: 'visit', urls: [expect.stringMatching(/^https:\/\/gw\.example\.com\/connect\/\d$/)] },
        })
      }
      const { identity } = ann
      expect(links).toEqual(Array(2).fill({ server: 'dev/github', owner: identity.id, by: identity }))
    },
  )

  it.each(['none', 'revoked', 'reauth_required'] as const)('G2 %s: a virtual account needs a person', async (kind) => {
    const { broker, links } = brokerWith({ [ci.identity.id]: { kind } })
    expect(await credentialsWith(broker).resolve(ask(ci, 'dev/github'))).toEqual({
      kind: 'authorization_required',
      need: { kind: 'person' },
    })
    expect(links).toEqual([])
  })

  it('anonymous callers have no connection, not even where there is one under their id', async () => {
    const { broker, looked, links } = brokerWith({ [nobody.identity.id]: tokens('t') })
    expect(await credentialsWith(broker).resolve(ask(nobody, 'dev/github'))).toEqual({
      kind: 'refused',
      status: 403,
      reason: 'anonymous',
      message: 'This server is called with an account of your own: bring a gateway key or a JWT',
    })
    expect(looked).toEqual([])
    expect(links).toEqual([])
  })

  it('is unavailable for as long as the broker says', async () => {
    const { broker } = brokerWith({ [ann.identity.id]: { kind: 'unavailable', retryAfterMs: 4_321 } })
    expect(await credentialsWith(broker).resolve(ask(ann, 'dev/github'))).toEqual({
      kind: 'unavailable',
      retryAfterMs: 4_321,
      detail: 'no usable token for "dev/github" can be had at present',
    })
  })

  it.each([new StoreError('down'), new SealError('sealed'), new SecretError('unset'), new FetchError('silent')])(
    'is unavailable where the broker throws: %s',
    async (error) => {
      const throwing = async () => {
        throw error
      }
      const unavailable = { kind: 'unavailable', retryAfterMs: 1_000, detail: error.message }
      const lookingUp = credentialsWith({ tokens: throwing, connectUrl: throwing })
      expect(await lookingUp.resolve(ask(ann, 'dev/github'))).toEqual(unavailable)
      const linking = credentialsWith({ ...brokerWith({}).broker, connectUrl: throwing })
      expect(await linking.resolve(ask(ann, 'dev/github'))).toEqual(unavailable)
    },
  )

  it('a mistake of ours is no outage, and no pass', async () => {
    const broker = {
      ...empty,
      tokens: async () => {
        throw new TypeError('a mistake')
      },
    }
    await expect(credentialsWith(broker).resolve(ask(ann, 'dev/github'))).rejects.toThrow(TypeError)
  })

  it.each(['a\r\nhost: evil', 'a\n', 'a\u010ab', '', ' '])(
    'a token that no header can hold is not sent: %j',
    async (token) => {
      const { broker } = brokerWith({ [ann.identity.id]: tokens(token) })
      const result = await credentialsWith(broker).resolve(ask(ann, 'dev/github'))
      expect(result).toMatchObject({ kind: 'unavailable' })
      expect(JSON.stringify(result)).not.toContain('evil')
    },
  )
})

describe('G10 passthrough', () => {
  it("is the caller's JWT as it came", async () => {
    for (const server of ['core/orders', 'core/stock']) {
      expect(await credentialsWith(empty).resolve(ask(ann, server))).toEqual({
        kind: 'credential',
        credential: 'passthrough',
        headers: { authorization: `Bearer ${JWT}` },
        stamp: undefined,
      })
    }
  })

  it('is no gateway key, and says what to bring instead', async () => {
    // Whatever is at `jwt`, a key is a key.
    for (const caller of [annWithKey, ci, { ...annWithKey, jwt: 'a-gateway-key' }]) {
      const result = await credentialsWith(empty).resolve(ask(caller, 'core/orders'))
      expect(result).toEqual({
        kind: 'refused',
        status: 403,
        reason: 'passthrough_key',
        message:
          "A gateway key cannot be passed through: this server is called with the caller's own token. Bring a JWT of your identity provider in place of the key",
      })
    }
  })

  it('is nothing for anonymous callers', async () => {
    expect(await credentialsWith(empty).resolve(ask(nobody, 'core/orders'))).toMatchObject({
      kind: 'refused',
      status: 403,
      reason: 'anonymous',
    })
  })

  it.each([
    ['another', 'gateway'],
    ['none', undefined],
    ['a list without it', ['gateway', 'orders-api']],
    ['something else', { 'billing-api': true }],
    ['a longer one', 'billing-api/v2'],
    ['a list in a list', [['billing-api']]],
  ])('a token for %s is not for a server with an audience of its own', async (_, aud) => {
    const caller = { ...ann, identity: { ...ann.identity, claims: { aud } } }
    expect(await credentialsWith(empty).resolve(ask(caller, 'core/billing'))).toEqual({
      kind: 'refused',
      status: 403,
      reason: 'passthrough_audience',
      message: 'This server takes tokens that are made for it only: "aud" has to have "billing-api" or "billing"',
    })
  })

  it.each(['billing', 'billing-api', ['gateway', 'billing']])('a token for %j is', async (aud) => {
    const caller = { ...ann, identity: { ...ann.identity, claims: { aud } } }
    expect(await credentialsWith(empty).resolve(ask(caller, 'core/billing'))).toMatchObject({ kind: 'credential' })
  })
})

describe('G12 x-tfy-mcp-headers', () => {
  const own = { Authorization: 'Bearer mine' }
  const mine = {
    kind: 'credential',
    credential: 'caller_headers',
    headers: { authorization: 'Bearer mine' },
    stamp: undefined,
  }

  it('win over what is configured, Authorization included, and no consent is asked', async () => {
    const { broker, looked, links } = brokerWith({ [ann.identity.id]: tokens('ann-token') })
    for (const server of ['public/wiki', 'dev/github', 'core/orders', 'core/billing']) {
      for (const caller of [ann, annWithKey, ci, nobody]) {
        expect(await credentialsWith(broker).resolve(ask(caller, server, own))).toEqual(mine)
      }
    }
    expect(looked).toEqual([])
    expect(links).toEqual([])
  })

  it('go along with what is configured where they are no credential', async () => {
    const { broker } = brokerWith({ [ann.identity.id]: tokens('ann-token') })
    const sent = { 'X-Team': 'blue' }
    const expected = {
      'public/wiki': ['none', {}],
      'data/hub': ['header', { authorization: 'Bearer hub-token', 'x-org': 'acme' }],
      'dev/github': ['oauth2', { authorization: 'Bearer ann-token' }],
      'core/orders': ['passthrough', { authorization: `Bearer ${JWT}` }],
    } as const
    for (const [server, [credential, headers]] of Object.entries(expected)) {
      expect(await credentialsWith(broker).resolve(ask(ann, server, sent))).toMatchObject({
        credential,
        headers: { ...headers, 'x-team': 'blue' },
      })
    }
    expect(await credentialsWith(broker).resolve(ask(ann, 'dev/github', sent))).toMatchObject({ stamp: 'stamp of 9' })
  })

  it('do not stand for the rest: consent and keys are asked for all the same', async () => {
    const sent = { 'x-authorization': 'Bearer mine' }
    const { broker } = brokerWith({})
    const credentials = credentialsWith(broker)
    expect(await credentials.resolve(ask(ann, 'dev/github', sent))).toMatchObject({ kind: 'authorization_required' })
    expect(await credentials.resolve(ask(ci, 'core/orders', sent))).toMatchObject({ reason: 'passthrough_key' })
    expect(await credentials.resolve(ask(nobody, 'dev/github', sent))).toMatchObject({ reason: 'anonymous' })
    expect(await credentials.resolve(ask(ann, 'dev/github', {}))).toMatchObject({ kind: 'authorization_required' })
  })

  it('replace shared headers one by one, in whatever spelling', async () => {
    const credentials = credentialsWith(empty)
    expect(await credentials.resolve(ask(ann, 'data/hub', own))).toEqual({
      kind: 'credential',
      credential: 'header',
      headers: { authorization: 'Bearer mine', 'x-org': 'acme' },
      stamp: undefined,
    })
    // The shared one does not go along under a name that may be the same to the server.
    expect(await credentials.resolve(ask(ann, 'data/hub', { X_ORG: 'other' }))).toMatchObject({
      headers: { authorization: 'Bearer hub-token', x_org: 'other' },
    })
    const all = { ...own, 'x-org': 'other' }
    const result = await credentials.resolve(ask(ann, 'data/hub', all))
    expect(result).toMatchObject({ credential: 'caller_headers' })
    expect(result).toHaveProperty('headers', { authorization: 'Bearer mine', 'x-org': 'other' })
    // A secret that cannot be had is not missed.
    expect(await credentials.resolve(ask(ann, 'data/broken', { 'X-Api-Key': 'k' }))).toMatchObject({
      credential: 'caller_headers',
      headers: { 'x-api-key': 'k' },
    })
    expect(await credentials.resolve(ask(ann, 'data/broken', own))).toMatchObject({ kind: 'unavailable' })
  })

  it('that are malformed are a 400 that says so, before anything else', async () => {
    const { broker, looked } = brokerWith({})
    for (const server of Object.keys(auths)) {
      expect(await credentialsWith(broker).resolve(ask(nobody, server, '{"authorization": secret}'))).toEqual({
        kind: 'refused',
        status: 400,
        reason: 'caller_headers',
        message:
          'x-tfy-mcp-headers is not JSON; expected a JSON object with a text for each header, such as {"authorization": "Bearer ..."}',
      })
    }
    expect(looked).toEqual([])
  })

  it('follow what is configured', async () => {
    const off = credentialsWith(empty, { callerHeaders: false })
    expect(await off.resolve(ask(ann, 'public/wiki', own))).toMatchObject({ status: 400, reason: 'caller_headers' })
    expect(await off.resolve(ask(ann, 'public/wiki'))).toMatchObject({ credential: 'none' })
    const few = credentialsWith(empty, { callerHeaders: { allow: ['x-*'], maxBytes: 30 } })
    expect(await few.resolve(ask(ann, 'public/wiki', { 'x-a': 'b' }))).toMatchObject({ headers: { 'x-a': 'b' } })
    expect(await few.resolve(ask(ann, 'public/wiki', own))).toMatchObject({ reason: 'caller_headers' })
    expect(await few.resolve(ask(ann, 'public/wiki', { 'x-a': 'b'.repeat(30) }))).toMatchObject({ kind: 'refused' })
  })

  it('of several lines are refused, also where Node joins them to something right', async () => {
    const joined = '{"authorization":"Bearer a, b"}'
    const rawHeaders = ['X-Tfy-Mcp-Headers', '{"authorization":"Bearer a', 'x-tfy-mcp-headers', 'b"}']
    const credentials = credentialsWith(empty)
    const twice = ask(ann, 'public/wiki', joined, { rawHeaders })
    expect(await credentials.resolve(twice)).toMatchObject({ reason: 'caller_headers' })
    const once = ask(ann, 'public/wiki', joined, { rawHeaders: ['x-TFY-mcp-headers', joined] })
    expect(await credentials.resolve(once)).toMatchObject({ headers: { authorization: 'Bearer a, b' } })
    const list = { ...ask(ann, 'public/wiki'), headers: { 'x-tfy-mcp-headers': ['{}', '{}'] } }
    expect(await credentials.resolve(list)).toMatchObject({ reason: 'caller_headers' })
    // Raw lines that do not have it do not make it vanish.
    const other = ask(ann, 'public/wiki', own, { rawHeaders: [] })
    expect(await credentials.resolve(other)).toEqual(mine)
  })
})

describe('in any case', () => {
  it('a server that nobody knows has no credential', async () => {
    expect(await credentialsWith(empty).resolve(ask(ann, 'no/such'))).toMatchObject({ kind: 'unavailable' })
    expect(await credentialsWith(empty).resolve(ask(ann, 'no/such', { authorization: 'x' }))).toMatchObject({
      kind: 'unavailable',
    })
  })

  it('answers to some do not change with what others get', async () => {
    const credentials = credentialsWith(empty)
    const first = await credentials.resolve(ask(ann, 'data/hub', { 'x-team': 'blue' }))
    const second = await credentials.resolve(ask(ci, 'data/hub'))
    expect(first).toHaveProperty('headers', { authorization: 'Bearer hub-token', 'x-org': 'acme', 'x-team': 'blue' })
    expect(second).toHaveProperty('headers', { authorization: 'Bearer ci-token', 'x-org': 'acme' })
  })
})
