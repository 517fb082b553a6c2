/**
 * A real authorization server, `oidc-provider`, that rotates refresh tokens and
 * revokes the grant when one is used twice. Tokens are made through its own models,
 * so that no browser is needed. It counts, and it can be held up.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'
import { memoryAdapter } from './adapter.ts'
import { createLedger, type Ledger, type Outcome, type TokenRequest } from './ledger.ts'
import type { FigureTokens } from './protocol.ts'
import { CLIENT_ID } from './upstream.ts'

/** What a scenario does at the token endpoint. */
export interface Hooks {
  alive(worker: string): boolean
  /** Before a request is looked at; `'drop'` fails it unseen. */
  arrived?(request: TokenRequest): Promise<'drop' | undefined>
  /** After it was processed, before the answer. */
  processed?(request: TokenRequest, outcome: Outcome): Promise<void>
  /** After the answer. */
  answered?(request: TokenRequest, outcome: Outcome): void
}

/** See the top of the file. */
export interface AuthServer {
  readonly issuer: string
  /** New tokens, as after consent. Those of accounts that begin with `still-` do not rotate. */
  issue(connection: string): Promise<FigureTokens>
  /** Whether the refresh token would be taken. */
  isGood(tokens: FigureTokens): Promise<boolean>
  /** Whether anything that was made from the same consent would be taken. */
  familyIsGood(tokens: FigureTokens | undefined): Promise<boolean>
  /** Begins to count anew, with other hooks. */
  begin(hooks: Hooks): Ledger
  close(): Promise<void>
}

const SCOPE = 'offline_access'
const STILL = 'still-'

/** Starts it on a free port of the loopback interface. */
export async function startAuthServer(): Promise<AuthServer> {
  const http = createServer().listen(0, '127.0.0.1')
  await once(http, 'listening')
  const address = http.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const issuer = `http://127.0.0.1:${address.port}`
  const provider = new Provider(issuer, {
    adapter: memoryAdapter(),
    cookies: { keys: ['only-for-figures'] },
    clients: [
      {
        client_id: CLIENT_ID,
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: ['https://figures.example/callback'],
      },
    ],
    ttl: { AccessToken: 3_600, RefreshToken: 86_400, Grant: 86_400 },
    rotateRefreshToken: (ctx) => !ctx.oidc.entities.RefreshToken?.accountId.startsWith(STILL),
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    features: { devInteractions: { enabled: false }, revocation: { enabled: true, allowedPolicy: () => true } },
  })
  /** Which consent a token is from, also once the token is gone. */
  const grants = new Map<string, string>()
  let hooks: Hooks = { alive: () => true }
  let ledger = createLedger(hooks.alive)

  provider.use(async (ctx, next) => {
    if (ctx.path !== '/token') return next()
    const current = { hooks, ledger }
    const request = { worker: ctx.get('x-worker'), connection: ctx.get('x-connection') }
    if ((await current.hooks.arrived?.(request)) === 'drop') {
      ctx.status = 503
      return
    }
    await next()
    const token = String(ctx.oidc.params?.refresh_token)
    const rotated = !request.connection.startsWith(STILL)
    const outcome = current.ledger.note(request, token, ctx.status === 200, rotated)
    ctx.res.once('close', () => current.hooks.answered?.(request, outcome))
    await current.hooks.processed?.(request, outcome)
  })
  http.on('request', provider.callback())

  return {
    issuer,
    async issue(connection) {
      const client = await provider.Client.find(CLIENT_ID)
      if (client === undefined) throw new Error('the client is not there')
      const grant = new provider.Grant({ accountId: connection, clientId: CLIENT_ID })
      grant.addOIDCScope(SCOPE)
      const grantId = await grant.save()
      const token = new provider.RefreshToken({
        accountId: connection,
        client,
        grantId,
        gty: 'authorization_code',
        scope: SCOPE,
        expiresWithSession: false,
      })
      const refresh = await token.save()
      grants.set(refresh, grantId)
      return { access: 'of the consent', refresh, connection, rotation: 0, expiresAt: Date.now() + 3_600_000 }
    },
    async isGood({ refresh }) {
      const token = await provider.RefreshToken.find(refresh)
      if (token === undefined || !token.isValid || token.grantId === undefined) return false
      return (await provider.Grant.find(token.grantId)) !== undefined
    },
    async familyIsGood(tokens) {
      const grantId = tokens === undefined ? undefined : grants.get(tokens.refresh)
      return grantId !== undefined && (await provider.Grant.find(grantId)) !== undefined
    },
    begin(next) {
      hooks = next
      ledger = createLedger(next.alive)
      return ledger
    },
    async close() {
      http.closeAllConnections()
      http.close()
      await once(http, 'close')
    },
  }
}
