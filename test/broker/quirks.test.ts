/** Authorization servers with the habits of real ones: consent, refresh, and what happens when the refresh token is dead (G8, G9). */
import { describe, expect, it } from 'vitest'
import { KINDS } from '../support/mcp/quirky-provider.ts'
import { connect, MCP_URL, openWith, person, SERVER } from './setup.ts'

const alice = person('alice').id
const kinds = Object.keys(KINDS) as (keyof typeof KINDS)[]
const DAY = 86_400

describe.each(kinds)('%s', (kind) => {
  const habits = { refreshTokens: 'rotate', expiresIn: 3600, resource: 'ignored', ...KINDS[kind] }
  const refreshes = habits.refreshTokens !== 'none'

  it('consent brings tokens of the person', async () => {
    const bureau = await openWith(kind)
    expect((await connect(bureau)).body).toContain('is connected')
    const found = await bureau.broker.tokens(alice, SERVER)
    if (found.kind !== 'tokens') throw new Error(found.kind)
    expect(found.tokens.accessToken).toBe(bureau.provider.last.accessToken)
    expect(found.tokens.accessToken).toMatch(/^access-/)
    expect(bureau.provider.isGood(found.tokens.accessToken)).toBe(true)
    expect(found.tokens.refreshToken !== undefined).toBe(refreshes)
    expect(found.tokens.expiresAt).toBe(
      habits.expiresIn === undefined ? undefined : bureau.clock.now() + habits.expiresIn * 1000,
    )
    expect(found.tokens.scope).toBe('tools:read tools:write')
  })

  it('sends resource to all endpoints or to none', async () => {
    const bureau = await openWith(kind)
    await connect(bureau)
    const found = await bureau.broker.tokens(alice, SERVER)
    if (found.kind === 'tokens') await bureau.broker.tokens(alice, SERVER, { rejected: found.stamp })
    const sent = bureau.provider.asked.filter(({ path }) => path === '/authorize' || path === '/token')
    expect(sent).toHaveLength(refreshes ? 3 : 2)
    for (const { parameters } of sent) expect(parameters.resource).toBe(kind === 'entra' ? undefined : MCP_URL)
  })

  it(
    refreshes
      ? 'a token that the upstream refuses is refreshed, again and again'
      : 'a token that the upstream refuses needs consent',
    async () => {
      const bureau = await openWith(kind)
      await connect(bureau)
      const seen = new Set<string>()
      for (let times = 0; times < 3; times++) {
        const found = await bureau.broker.tokens(alice, SERVER)
        if (found.kind !== 'tokens') throw new Error(found.kind)
        seen.add(found.tokens.accessToken)
        const next = await bureau.broker.tokens(alice, SERVER, { rejected: found.stamp })
        expect(next.kind).toBe(refreshes ? 'tokens' : 'reauth_required')
        if (next.kind === 'tokens') expect(next.stamp).not.toBe(found.stamp)
      }
      expect(seen.size).toBe(refreshes ? 3 : 1)
      const refreshed = bureau.events.filter(({ kind: what }) => what === 'refreshed')
      expect(refreshed).toHaveLength(refreshes ? 3 : 0)
    },
  )

  it('after its time', async () => {
    const bureau = await openWith(kind)
    await connect(bureau)
    const before = bureau.provider.last.accessToken
    bureau.clock.advance(DAY)
    const found = await bureau.broker.tokens(alice, SERVER)
    if (habits.expiresIn === undefined) expect(found).toMatchObject({ kind: 'tokens', tokens: { accessToken: before } })
    else if (!refreshes) expect(found).toEqual({ kind: 'reauth_required' })
    else expect(found).toMatchObject({ kind: 'tokens', tokens: { accessToken: bureau.provider.last.accessToken } })
    if (refreshes && habits.expiresIn !== undefined) expect(bureau.provider.last.accessToken).not.toBe(before)
  })

  if (refreshes)
    it('a dead refresh token means consent, which then helps', async () => {
      const bureau = await openWith(kind)
      await connect(bureau)
      const found = await bureau.broker.tokens(alice, SERVER)
      bureau.provider.endRefreshTokens()
      const rejected = found.kind === 'tokens' ? found.stamp : ''
      expect(await bureau.broker.tokens(alice, SERVER, { rejected })).toEqual({ kind: 'reauth_required' })
      expect(bureau.events.at(-1)).toMatchObject({ kind: 'reauth_required', server: SERVER, owner: alice })
      expect(await bureau.broker.list(alice)).toEqual([{ server: SERVER, state: 'reauth_required' }])
      await connect(bureau)
      expect(await bureau.broker.tokens(alice, SERVER)).toMatchObject({ kind: 'tokens' })
    })

  it('a code that is not accepted: an error, whatever its status', async () => {
    const bureau = await openWith(kind, { auth: { clientId: 'another' } })
    const page = await connect(bureau)
    expect(page.status).toBe(502)
    expect(await bureau.broker.list(alice)).toEqual([])
    expect(await bureau.broker.tokens(alice, SERVER)).toEqual({ kind: 'none' })
  })
})

describe('a refresh token that is dead in other words', () => {
  /** What is found, each time a day later, when every refresh is answered so. */
  async function foundDaily(days: number, status: number, answer: object) {
    let dead = false
    const bureau = await openWith('standard', {
      fetch: async (url, init) =>
        dead && String(init.body).includes('grant_type=refresh_token')
          ? Response.json(answer, { status })
          : fetch(url, init),
    })
    await connect(bureau)
    dead = true
    const kinds: string[] = []
    for (let day = 0; day < days; day++) {
      bureau.clock.advance(DAY)
      kinds.push((await bureau.broker.tokens(alice, SERVER)).kind)
    }
    return { bureau, kinds }
  }

  it.each([
    ['HubSpot', 400, { status: 'BAD_REFRESH_TOKEN', message: 'missing or invalid refresh token' }],
    ['Zoho', 200, { error: 'invalid_code' }],
    ['Atlassian', 403, { error: 'unauthorized_client', error_description: 'refresh_token is invalid' }],
    ['Auth0', 500, { error: 'access_denied', error_description: 'user is blocked' }],
  ])('of %s: consent is needed at once', async (_, status, answer) => {
    expect((await foundDaily(1, status, answer)).kinds).toEqual(['reauth_required'])
  })

  it('in words that say nothing (Metabase): after some days, and the list says so', async () => {
    const answer = { error: 'invalid_request', error_description: 'The token request is invalid.' }
    const { bureau, kinds } = await foundDaily(4, 400, answer)
    expect(kinds).toEqual(['unavailable', 'unavailable', 'reauth_required', 'reauth_required'])
    expect(await bureau.broker.list(alice)).toMatchObject([{ server: SERVER, state: 'reauth_required' }])
    expect(bureau.events.at(-1)).toMatchObject({ kind: 'reauth_required', server: SERVER, owner: alice })
  })

  it("is not meant by invalid_client: that is the operator's to mend, however long it takes", async () => {
    const answer = { error: 'invalid_client', error_description: 'Invalid refresh token or client' }
    const { bureau, kinds } = await foundDaily(10, 401, answer)
    expect(new Set(kinds)).toEqual(new Set(['unavailable']))
    expect(await bureau.broker.list(alice)).toMatchObject([{ server: SERVER, state: 'connected' }])
  })
})

describe('what the configuration has to say for them', () => {
  it('Slack without tokensIn would store the token of a bot; with it, an answer without the person is refused', async () => {
    const wrong = await openWith('slack', { auth: { tokensIn: 'somebody_else' } })
    expect((await connect(wrong)).status).toBe(503)
    expect(await wrong.broker.list(alice)).toEqual([])
  })

  it('Google without its parameters gives no refresh token', async () => {
    const bureau = await openWith('google', { auth: { authorizationParameters: {} } })
    await connect(bureau)
    bureau.clock.advance(DAY)
    expect(await bureau.broker.tokens(alice, SERVER)).toEqual({ kind: 'reauth_required' })
  })

  it('Entra with a resource: the person is told that something is set up wrongly', async () => {
    const bureau = await openWith('entra', { auth: { resource: true } })
    const page = await connect(bureau)
    expect(page.status).toBe(502)
    expect(bureau.events.at(-1)?.detail).toContain('invalid_request')
  })

  it('a server that requires resource, without one', async () => {
    const bureau = await openWith('requires resource', { auth: { resource: false } })
    expect((await connect(bureau)).status).toBe(502)
    expect(bureau.events.at(-1)?.detail).toContain('invalid_target')
  })
})
