/** A7, A8, A10: people who sign in with their browser. */
import { connect, describeAnswer } from '../ask.ts'
import { loginClientId, ORDERS_API } from '../provider-clients.ts'
import type { Target } from '../servers.ts'
import type { Report } from '../services/service.ts'
import { describeDeparture, describePage, goTo, oneEach } from './people.ts'
import type { Chapter } from './stage.ts'

const DEEP = '/app/orders?page=2'

export const signingIn: Chapter = async ({ demo, walk, newBrowser }) => {
  const { corp, branch } = demo
  const [first] = demo.targets
  walk.chapter(
    'A8  Browser login: a page load is sent to the provider and comes back signed in; a script gets its status',
  )
  const alices = oneEach(newBrowser)
  await walk.onEach('A8', `a page load of ${DEEP}`, '302 to the provider: code S256 state nonce', async (target) =>
    describeDeparture(await alices(target).firstAnswer(target.url + DEEP), corp.issuer),
  )
  await walk.onEach('A8', '… and on, along the redirects', '200 "Sign in" at the provider', async (target) =>
    describePage(target, await alices(target).open(target.url + DEEP)),
  )
  await walk.onEach('A8', '… alice gives name and password', `200 "Hello, Alice Ames" ${DEEP}`, async (target) =>
    describePage(target, await goTo(alices(target), target, DEEP, 'alice')),
  )
  await walk.onEach('A8', 'a script on that page asks for /app/orders', '200 app alice /app/orders', async (target) =>
    describeAnswer(target, await alices(target).script(`${target.url}/app/orders`)),
  )
  await walk.onEach('A8', 'a script of somebody who is not signed in', '403 Bearer', async (target) =>
    describeAnswer(target, await newBrowser().script(`${target.url}/app/orders`)),
  )
  await walk.onEach(
    'A8',
    'a page load of /me/, whose provider takes pushed requests',
    '302 to the provider: request_uri',
    async ({ url }) => describeDeparture(await newBrowser().firstAnswer(`${url}/me/`), branch.issuer),
  )
  const form = { method: 'POST', host: 'localhost', path: '/app/orders', headers: { accept: 'text/html' } }
  await walk.everywhere('A8', form, '403')
  await walk.onEach(
    'A8',
    'bob presses Cancel at the provider',
    '403 "You were not signed in" <callback>',
    async (target) => {
      const bob = newBrowser()
      const page = await bob.submit(await bob.open(`${target.url}/app/`), { cancel: 'yes' })
      return describePage(target, page).replace(/\/\.sallyport\/callback.*/, '<callback>')
    },
  )
  await walk.onEach(
    'A8',
    'alice comes by the name localhost, and ends up where login.url says',
    '200 "Hello, Alice Ames" /app/',
    async (target) => describePage(target, await alices(target).open(`http://localhost:${target.port}/app/`)),
  )
  const link = '/.sallyport/sign-in?integration=corp&return_to='
  await walk.onEach('A8', `a link: ${link}/app/spa`, '200 "Hello, Alice Ames" /app/spa', async (target) =>
    describePage(target, await alices(target).open(`${target.url}${link}/app/spa`)),
  )
  await walk.onEach(
    'A8',
    '… or return_to=//evil.test, which is not followed',
    '200 "Hello, Alice Ames" /app/',
    async (target) => describePage(target, await alices(target).open(`${target.url}${link}//evil.test`)),
  )
  const shared = newBrowser()
  if (first !== undefined) await goTo(shared, first, '/app/', 'alice')
  await walk.onEach(
    'A8',
    `one browser, a tab for each server, after signing in on ${first?.name}`,
    '200 "Hello, Alice Ames" /app/',
    async (target) => describePage(target, await shared.open(`${target.url}/app/`)),
  )
  const upgrade = (target: Target, origin: string) =>
    connect(target, {
      host: new URL(target.url).host,
      path: '/app/live',
      headers: { cookie: alices(target).cookiesFor(target.url), origin },
    })
  await walk.onEach('B12', 'a WebSocket that her page opens', '101 app alice /app/live', (target) =>
    upgrade(target, target.url),
  )
  await walk.onEach('B12', 'one that another site opens with her cookies', '403', (target) =>
    upgrade(target, 'http://evil.test'),
  )

  walk.chapter('A7  Which token is judged: the access token for /app/, the ID token for /me/')
  const audience = async (target: Target, path: string) => {
    await goTo(alices(target), target, path, 'alice')
    const { body } = await alices(target).script(target.url + path)
    return String((JSON.parse(body) as Report).audience)
  }
  await walk.onEach('A7', 'who the token of /app/ is for', ORDERS_API, (target) => audience(target, '/app/'))
  await walk.onEach(
    'A7',
    'who the token of /me/ is for, after signing in at the other provider',
    ({ name }) => loginClientId(name, 'branch-id'),
    (target) => audience(target, '/me/'),
  )

  walk.chapter('A10 Claim rules on /app/admin/')
  const bobs = oneEach(newBrowser)
  await walk.onEach('A10', 'alice, of dev-backend', '200 "Hello, Alice Ames" /app/admin/', async (target) =>
    describePage(target, await alices(target).open(`${target.url}/app/admin/`)),
  )
  await walk.onEach('A10', 'bob, of staff', '403 "You do not have access" /app/admin/', async (target) =>
    describePage(target, await goTo(bobs(target), target, '/app/admin/', 'bob')),
  )
  await walk.onEach('A10', 'bob, by a script', '403', async (target) =>
    describeAnswer(target, await bobs(target).script(`${target.url}/app/admin/`)),
  )
  await walk.onEach('A10', 'bob, elsewhere', '200 "Hello, Bob Byrne" /app/', async (target) =>
    describePage(target, await bobs(target).open(`${target.url}/app/`)),
  )
}

export const signingOut: Chapter = async ({ demo: { corp }, walk, newBrowser }) => {
  walk.chapter('A8  Signing out')
  const browsers = oneEach(newBrowser)
  const here = (target: Target) => browsers(target).script(`${target.url}/app/`)
  await walk.onEach(
    'A8',
    'a link from elsewhere to /.sallyport/sign-out only asks',
    '200 "Sign out?" /.sallyport/sign-out',
    async (target) => {
      await goTo(browsers(target), target, '/app/', 'alice')
      return describePage(target, await browsers(target).open(`${target.url}/.sallyport/sign-out`))
    },
  )
  await walk.onEach('A8', '… and she is still signed in', '200 app alice /app/', async (target) =>
    describeAnswer(target, await here(target)),
  )
  await walk.onEach(
    'A8',
    'she clicks on "Sign out"',
    '200 "You are signed out" /.sallyport/signed-out',
    async (target) => {
      const page = await browsers(target).open(`${target.url}/app/`)
      const atProvider = await browsers(target).click(page, '/.sallyport/sign-out')
      return describePage(target, await browsers(target).submit(atProvider, { logout: 'yes' }))
    },
  )
  await walk.onEach('A8', '… and is signed out here', '403 Bearer', async (target) =>
    describeAnswer(target, await here(target)),
  )
  await walk.onEach('A8', '… and at the provider, which asks again', '200 "Sign in" at the provider', async (target) =>
    describePage(target, await browsers(target).open(`${target.url}/app/`)),
  )

  walk.chapter('A8  Back-channel logout: the provider ends the session, whatever cookies the browser has')
  await walk.onEach(
    'A8',
    'alice signs in, and later out at the provider itself',
    '200 "You are signed out" at the provider',
    async (target) => {
      const browser = browsers(target)
      await goTo(browser, target, '/app/', 'alice')
      const page = await browser.open(`${corp.issuer}/session/end`)
      return describePage(target, await browser.submit(page, { logout: 'yes' }))
    },
  )
  await walk.onEach('A8', '… her session here has ended', '403 Bearer', async (target) =>
    describeAnswer(target, await here(target)),
  )
}
