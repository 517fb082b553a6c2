/** Whom the host application's own code names: what names nobody is refused, and never repeated. */

import { generateKey } from 'sallyport'
import { createGateway, type PersonSubject, type Subject } from 'sallyport/gateway'
import { memoryStore } from 'sallyport/stores/memory'
import { expect, onTestFinished, test } from 'vitest'

const TOKEN = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl'

function start() {
  const gateway = createGateway({
    url: 'https://gw.example.com',
    store: memoryStore(),
    keys: [generateKey()],
    signIn: 'link',
    servers: {
      'dev/code': {
        url: 'https://mcp.example.com/',
        auth: {
          type: 'oauth2',
          clientId: 'gateway',
          authorizationUrl: 'https://as.example.com/authorize',
          tokenUrl: 'https://as.example.com/token',
        },
      },
    },
  })
  onTestFinished(() => gateway.close())
  return gateway
}

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['null', null],
  ['a token in place of an object', TOKEN],
  ['empty texts, as of nobody', { id: '', integration: '' }],
  ['somebody without an id, as of an open route', { type: 'none' }],
  ['an id alone', { id: 'x'.repeat(43) }],
  ['a virtual account without a name', { virtualAccount: '' }],
])('%s is refused', async (_name, wrong) => {
  const gateway = start()
  const subject = wrong as Subject
  const asked = [
    gateway.keys.create(subject, { name: 'laptop' }),
    gateway.keys.list(subject),
    gateway.keys.revoke(subject, 'abc'),
    gateway.connections.list(subject),
    gateway.connections.revoke(subject, 'dev/code'),
    gateway.connections.connectUrl({ server: 'dev/code', who: wrong as { authorization: string } }),
    gateway.virtualAccounts.ownedBy(wrong as PersonSubject),
  ]
  for (const result of await Promise.allSettled(asked)) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ERR_SUBJECT', name: 'GatewayError' } })
    expect(JSON.stringify(result)).not.toContain(TOKEN)
    expect(String((result as PromiseRejectedResult).reason)).not.toContain(TOKEN)
  }
})

test('a request without credentials, as applications pass it on, is nobody’s', async () => {
  const asked = start().connections.connectUrl({ server: 'dev/code', who: { authorization: '' } })
  await expect(asked).rejects.toMatchObject({ code: 'ERR_UNAUTHENTICATED', message: 'there are no credentials' })
})
