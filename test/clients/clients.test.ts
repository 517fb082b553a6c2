/** The clients that people really use, in front of a guarded server: curl, Python's requests, a browser. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { createGuard } from 'sallyport'
import { authOf, sallyport } from 'sallyport/node'
import { afterAll, beforeAll, expect } from 'vitest'
import { launch } from '../support/browser.ts'
import { testWith } from '../support/parts.ts'

const run = promisify(execFile)
const ISSUER = 'https://login.example.com/'

let provider: Server
let service: Server
let url: string
let token: string

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }]
  provider = createServer((_req, res) => res.end(JSON.stringify({ keys })))
  const jwksUri = await listen(provider)
  token = await new SignJWT({ email: 'ann@example.com' })
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .setIssuer(ISSUER)
    .setAudience('orders-api')
    .setSubject('ann')
    .setExpirationTime('1h')
    .sign(privateKey)
  const guard = createGuard({
    integrations: { corp: { issuer: ISSUER, jwksUri, audience: 'orders-api' } },
    routes: [
      { path: '/', auth: { type: 'basic', username: 'zoë', password: 'pass:wörd', realm: 'Orders' } },
      { path: '/api', auth: { type: 'jwt', integration: 'corp', claims: { email: '*@example.com' } } },
    ],
  })
  service = createServer(
    sallyport(guard)((req, res) => {
      res.setHeader('content-type', 'text/plain; charset=utf-8')
      res.end(`hello ${authOf(req)?.subject}`)
    }),
  )
  url = await listen(service)
})

afterAll(() => {
  for (const server of [service, provider]) {
    server.closeAllConnections()
    server.close()
  }
})

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

testWith('curl', 'A5 curl --user gets in with the right password and 401 with a wrong one', async ({ curl }) => {
  const ask = async (...args: string[]) => (await run(curl, ['-s', '-w', ' %{http_code}', ...args, url])).stdout
  expect(await ask('--user', 'zoë:pass:wörd')).toBe('hello zoë 200')
  expect(await ask('--user', 'zoë:wrong')).toMatch(/ 401$/)
  expect(await ask()).toMatch(/ 401$/)
})

testWith('curl', 'A11 curl with a bearer token gets in, and 403 without', async ({ curl }) => {
  const ask = async (...args: string[]) => (await run(curl, ['-s', '-w', ' %{http_code}', ...args, `${url}api`])).stdout
  expect(await ask('-H', `Authorization: Bearer ${token}`)).toBe('hello ann 200')
  expect(await ask()).toMatch(/ 403$/)
})

testWith('python', "A5 Python requests' auth= gets in", async ({ python }) => {
  const program = `
import sys, requests
for auth in (('hello', 'pass'), ('zoë'.encode(), 'pass:wörd'.encode()), None):
    answer = requests.get(sys.argv[1], auth=auth)
    print(answer.status_code, answer.headers.get('WWW-Authenticate'))
`
  const { stdout } = await run(python, ['-c', program, url], { env: { ...process.env, NO_PROXY: '*' } })
  const refused = '401 Basic realm="Orders", charset="UTF-8"'
  expect(stdout.trim().split('\n')).toEqual([refused, '200 None', refused])
})

testWith(
  'chromium',
  'A5 a browser is asked for a password, and gets in with it',
  async ({ chromium }) => {
    const browser = await launch(chromium)
    try {
      const asked = await browser.newContext()
      const refused = await (await asked.newPage()).goto(url).catch((error: Error) => error.message)
      // Headless, the prompt that the challenge calls for is cancelled.
      expect(typeof refused === 'string' ? refused : refused?.status()).toSatisfy(
        (seen) => seen === 401 || /ERR_INVALID_AUTH_CREDENTIALS/.test(String(seen)),
      )
      const known = await browser.newContext({ httpCredentials: { username: 'zoë', password: 'pass:wörd' } })
      const page = await known.newPage()
      expect((await page.goto(url))?.status()).toBe(200)
      expect(await page.textContent('body')).toBe('hello zoë')
    } finally {
      await browser.close()
    }
  },
  60_000,
)
