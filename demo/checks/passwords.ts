/** A5, A12: basic authentication, and where its passwords come from. */
import { createGuard, type GuardConfig, generateKey, SallyportError, type SecretReference } from 'sallyport'
import { ORDERS_API } from '../provider-clients.ts'
import type { Chapter } from './stage.ts'

const host = 's1.example.com'
const challenge = '401 Basic realm="s1", charset="UTF-8"'

export const basic: Chapter = async ({ walk }) => {
  walk.chapter('A5  Basic auth: a browser prompts, curl --user works')
  await walk.everywhere('A5', { host }, challenge)
  await walk.everywhere('A5', { host, user: 'hello:pass' }, '200 s1 hello /')
  await walk.everywhere('A5', { host, user: 'hello:wrong' }, challenge)
  await walk.everywhere('A5', { host, user: 'nobody:pass' }, challenge)
  await walk.everywhere('A5', { host, headers: { authorization: 'Basic !!!' } }, challenge)
  await walk.everywhere('A5', { host: 's2.example.com', user: 'zoë:pässwörd' }, '200 s2 zoë /')
}

export const secrets: Chapter = async ({ demo: { corp }, walk }) => {
  walk.chapter('A12 Secrets by reference')
  await walk.everywhere('A12', { host, user: 'hello:pass' }, '200 s1 hello /')
  await walk.everywhere('A12', { host: 'ops.example.com', user: 'ops:ops-password' }, '200 ops ops /')
  const password = { secret: 'env:SALLYPORT_NOT_SET' }
  const auth = { type: 'basic', username: 'x', password } as const
  await walk.once(
    'A12',
    `ready() of a guard whose password ${password.secret} is not set`,
    'ERR_NOT_READY, and names it',
    () => whyNotReady({ routes: [{ auth }] }, password),
  )
  // Those with whom people have signed in above are references too, to the `secrets` function of the guard.
  const clientSecret = password
  await walk.once('A12', '… or whose client secret is not set', 'ERR_NOT_READY, and names it', () =>
    whyNotReady(
      {
        integrations: { corp: { issuer: corp.issuer, audience: ORDERS_API, oauth2: { clientId: 'x', clientSecret } } },
        login: { url: 'https://app.example.com', keys: [generateKey()], session: 'cookie' },
        routes: [{ auth: { type: 'jwt', integration: 'corp', login: true } }],
      },
      clientSecret,
    ),
  )
}

/** What `ready()` rejects with, and whether that says which secret is missing. */
async function whyNotReady(config: GuardConfig, { secret }: SecretReference): Promise<string> {
  const guard = createGuard(config)
  try {
    await guard.ready()
    return 'ready'
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error
    return `${error.code}, and ${error.message.includes(secret) ? 'names it' : `says ${error.message}`}`
  } finally {
    await guard.close()
  }
}
