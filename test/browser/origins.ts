/** Journeys: more than one origin. */
import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { authOf, guardUpgrade } from 'sallyport/node'
import { WebSocketServer } from 'ws'
import type { Page } from '../support/browser.ts'
import type { Journey } from './journey.ts'
import { ask, asked, giveName, see, seeHome, visit } from './steps.ts'

const PARTNER = {
  routes: [{ host: 'partner.test', auth: { type: 'jwt', integration: 'corp', login: true } }],
} as const

/** See the top of the file. Chromium must take `partner.test` for this machine. */
export const ORIGINS: readonly Journey[] = [
  {
    title: 'second host: signs in over the one callback, and has a session of its own',
    shop: PARTNER,
    async walk({ shop, page }) {
      const callbacks: string[] = []
      page.on('request', (request) => {
        if (request.url().includes('/.sallyport/callback/')) callbacks.push(new URL(request.url()).origin)
      })
      const partner = `http://partner.test:${shop.port}`
      await page.goto(`${partner}/orders?page=2`)
      await giveName(page)
      await page.waitForURL(`${partner}/orders?page=2`)
      await seeHome(page)
      assert.equal(await ask(page), '200')
      assert.deepEqual(callbacks, [shop.origin])
      // The login's own host knows her, too.
      await page.goto(`${shop.origin}/`)
      await seeHome(page)
      assert.equal(asked(shop, 'GET /form'), 1)
    },
  },
  {
    title: 'second host: who is signed in on the first need not do so again, and signs out on both',
    shop: { ...PARTNER, login: { signOut: 'local' } },
    async walk({ shop, page, context }) {
      await visit(page, shop)
      const other = await context.newPage()
      await other.goto(`http://partner.test:${shop.port}/deep?x=1`)
      assert.equal(other.url(), `http://partner.test:${shop.port}/deep?x=1`)
      await seeHome(other)
      assert.equal(asked(shop, 'GET /form'), 1)
      await page.click('#sign-out')
      await see(page, 'You are signed out')
      assert.equal(await ask(other), '403')
    },
  },
  {
    title: 'WebSocket: opens with the session from the own page, and from no other origin',
    only: ['node:http'],
    async walk({ shop, page, context, elsewhere }) {
      const sockets = new WebSocketServer({ noServer: true })
      shop.server.on(
        'upgrade',
        guardUpgrade(shop.guard, (request, socket, head) => {
          sockets.handleUpgrade(request, socket, head, (open) => open.send(`hello ${authOf(request)?.subject}`))
        }),
      )
      await page.goto(`${shop.origin}/welcome`)
      assert.equal(await listen(page, shop.port), 'refused')
      await visit(page, shop)
      assert.equal(await listen(page, shop.port), 'hello alice')
      // Another port of the same site: the browser sends the cookie along, and what it is refused for is the origin.
      const port = await elsewhere('<h1>Elsewhere</h1>')
      const other = await context.newPage()
      for (const [host, reason] of [
        ['127.0.0.1', 'cross_origin'],
        ['localhost', 'no_credentials'],
      ]) {
        await other.goto(`http://${host}:${port}/`)
        assert.equal(await listen(other, shop.port), 'refused')
        assert.equal(shop.decisions.at(-1)?.reason, reason)
      }
    },
  },
  {
    title: 'no-referrer: a form of the own page is taken, and a sandboxed frame is told apart',
    async walk({ shop, page }) {
      await visit(page, shop)
      /** What the browser says of the origin of the order that `run` sends. */
      const said = async (run: () => Promise<unknown>) => {
        const heard = new Promise<IncomingMessage>((resolve) => {
          const hear = (request: IncomingMessage) => {
            if (request.method !== 'POST') return
            shop.server.off('request', hear)
            resolve(request)
          }
          shop.server.on('request', hear)
        })
        await run()
        const { origin, 'sec-fetch-site': site } = (await heard).headers
        return [origin, site]
      }
      const script = `fetch('${shop.origin}/orders', { method: 'POST', mode: 'no-cors', credentials: 'include' })`
      const framed = () =>
        page.evaluate(`(() => {
          const frame = document.createElement('iframe')
          frame.sandbox = 'allow-scripts'
          frame.srcdoc = "<script>${script}</" + "script>"
          document.body.append(frame)
        })()`)
      assert.deepEqual(await said(framed), ['null', 'cross-site'])
      await page.evaluate(`(() => {
        const policy = document.createElement('meta')
        Object.assign(policy, { name: 'referrer', content: 'no-referrer' })
        document.head.append(policy)
      })()`)
      assert.deepEqual(await said(() => page.click('#order')), ['null', 'same-origin'])
      await see(page, 'Ordered')
    },
  },
]

/** The first message of a WebSocket to the shop, opened by a script of `page`. */
function listen(page: Page, port: number): Promise<string> {
  return page.evaluate(`new Promise((resolve) => {
    const socket = new WebSocket('ws://127.0.0.1:${port}/live')
    socket.onmessage = ({ data }) => resolve(data)
    socket.onerror = () => resolve('refused')
  })`)
}
