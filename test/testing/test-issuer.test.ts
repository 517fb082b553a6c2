import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import express from 'express'
import { decodeProtectedHeader } from 'jose'
import { createGuard, generateKey } from 'sallyport'
import { authOf, sallyport } from 'sallyport/express'
import { createGateway } from 'sallyport/gateway'
import { memoryStore } from 'sallyport/stores/memory'
import { testIssuer } from 'sallyport/testing'
import { expect, onTestFinished, test } from 'vitest'
import { localServer } from '../net/server.ts'

test('its tokens open a guard, and those that are changed do not', async () => {
  const issuer = await testIssuer({ audience: 'orders-api' })
  const stranger = await testIssuer({ audience: 'orders-api' })
  const guard = createGuard({
    integrations: { corp: issuer.integration },
    fetch: issuer.fetch,
    routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', claims: { email: '*@example.com' } } }],
  })
  const app = express()
    .use(sallyport(guard))
    .get('/', (req, res) => void res.send(authOf(req)?.subject))
  const { url, close } = await localServer(app)
  onTestFinished(close)
  const ask = async (token: string) => {
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
    return [response.status, response.ok ? await response.text() : '']
  }
  const email = 'ben@example.com'
  expect(await ask(await issuer.token({ email }))).toEqual([200, 'ann'])
  expect(await ask(await issuer.token({ email, sub: 'ben' }))).toEqual([200, 'ben'])
  expect(await ask(await issuer.token())).toEqual([403, ''])
  for (const bad of [{ exp: 0 }, { exp: undefined }, { aud: 'another' }, { iss: 'https://elsewhere.test/' }]) {
    expect(await ask(await issuer.token({ email, ...bad }))).toEqual([401, ''])
  }
  expect(await ask(await stranger.token({ email }))).toEqual([401, ''])
})

test('its tokens are known to a gateway', async () => {
  const issuer = await testIssuer()
  const gateway = createGateway({
    url: 'https://gw.example.com',
    store: memoryStore(),
    keys: [generateKey()],
    integrations: { corp: issuer.integration },
    fetch: issuer.fetch,
    servers: {},
  })
  expect(await gateway.identify(`Bearer ${await issuer.token({ groups: ['staff'] })}`)).toMatchObject({
    integration: 'corp',
    subject: 'ann',
    groups: ['staff'],
  })
  await gateway.close()
})

test('what is not its own is fetched as ever', async () => {
  const issuer = await testIssuer({ issuer: 'https://login.example.com/realm' })
  expect(issuer.integration.jwksUri).toBe('https://login.example.com/realm/.well-known/jwks.json')
  await expect(issuer.fetch('http://127.0.0.1:9/', {})).rejects.toThrow()
})

test.each(['https://issuer.test/', 'https://login.example.com/realms/corp'])(
  'a guard with browser login is ready, sends browsers there, and takes tokens: %s',
  async (name) => {
    const issuer = await testIssuer({ issuer: name, audience: 'orders-web' })
    const app = express()
    const { url, close } = await localServer(app)
    onTestFinished(close)
    const corp = { issuer: 'https://id.example.com/', audience: 'x', oauth2: { clientId: 'orders-web' } }
    const guard = createGuard({
      integrations: { corp: { ...corp, ...issuer.integration } },
      fetch: issuer.fetch,
      login: { url, store: memoryStore(), keys: [generateKey()] },
      routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true } }],
    })
    await guard.ready()
    app.use(sallyport(guard)).get('/', (req, res) => void res.send(authOf(req)?.subject))
    // Not by fetch, which says of itself that it is no page load.
    const load = async (headers: Readonly<Record<string, string>>): Promise<IncomingMessage> => {
      const [answer] = await once(get(url, { headers, agent: false }), 'response')
      return answer
    }
    const { statusCode, headers } = await load({ accept: 'text/html' })
    const authorize = `${name.replace(/\/$/, '')}/authorize`
    expect([statusCode, headers.location?.split('?')[0]]).toEqual([302, authorize])
    const answer = await load({ authorization: `Bearer ${await issuer.token()}` })
    expect(Buffer.concat(await answer.toArray()).toString()).toBe('ann')
  },
)

test('two of them share a fetch, and each answers for its own', async () => {
  const staff = await testIssuer({ issuer: 'https://staff.test/' })
  const customers = await testIssuer({ issuer: 'https://customers.test/', fetch: staff.fetch })
  for (const { jwksUri } of [staff.integration, customers.integration]) {
    expect((await customers.fetch(jwksUri, {})).status).toBe(200)
  }
})

test('two of them are realms of one origin, and the tokens of both are good', async () => {
  const staff = await testIssuer({ issuer: 'https://sso.test/realms/staff' })
  const customers = await testIssuer({ issuer: 'https://sso.test/realms/customers', fetch: staff.fetch })
  const guard = createGuard({
    integrations: { staff: staff.integration, customers: customers.integration },
    fetch: customers.fetch,
    routes: [{ path: '/', auth: { type: 'jwt', integration: ['staff', 'customers'] } }],
  })
  const app = express()
    .use(sallyport(guard))
    .get('/', (req, res) => void res.send(authOf(req)?.integration))
  const { url, close } = await localServer(app)
  onTestFinished(close)
  for (const [name, issuer] of Object.entries({ staff, customers })) {
    const response = await fetch(url, { headers: { authorization: `Bearer ${await issuer.token()}` } })
    expect([response.status, await response.text()]).toEqual([200, name])
  }
  const keyIds = [staff, customers].map(async (issuer) => decodeProtectedHeader(await issuer.token()).kid)
  expect(new Set(await Promise.all(keyIds)).size).toBe(2)
})

test('an issuer that the fetch beside it answers for already is refused', async () => {
  const first = await testIssuer()
  const second = await testIssuer({ issuer: 'https://second.test/', fetch: first.fetch })
  for (const issuer of ['https://issuer.test/', 'https://issuer.test', 'https://second.test/']) {
    await expect(testIssuer({ issuer, fetch: second.fetch })).rejects.toThrow(`answers for ${issuer} already`)
  }
})

test('an option that there is not is refused', async () => {
  await expect(testIssuer({ audienc: 'x' } as object)).rejects.toThrow(
    'has no option "audienc"; did you mean "audience"?',
  )
})
