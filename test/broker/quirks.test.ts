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
