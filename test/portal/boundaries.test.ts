/** What the pages never do: show what is somebody else's, run what somebody has typed, keep a token, or fall over. */
import { createGuard, type SignIn, StoreError, type TokenStore } from 'sallyport'
import { expect, onTestFinished, test } from 'vitest'
import { FormBrowser, type LoadedPage } from '../support/form-browser.ts'
import { open, person } from './open.ts'
import { formOf, headingOf, press, textOf } from './page-reader.ts'
import { follow, PEOPLE, type PortalWorld } from './portal-world.ts'

/** Sends a form of somebody's to wherever they like. */
async function post(world: PortalWorld, browser: FormBrowser, path: string, more = {}): Promise<LoadedPage> {
  const { fields } = formOf(await browser.load(world.page('/tokens')), /\/tokens$/)
  return browser.load(world.page(path), {
    method: 'POST',
    form: { ...fields, ...more },
    headers: { origin: world.origin },
  })
}

/** What of a page differs from one request to the next. */
function still({ status, body }: LoadedPage): string {
  return `${status} ${body.replaceAll(/nonce="[^"]*"/g, 'nonce')}`
}

test("what is not theirs looks like what does not exist: servers, keys, administrators' pages", async () => {
  const world = await open()
  const alice = await world.signIn('alice')
  const bob = await world.signIn('bob')
  const { id } = await world.gateway.keys.create(await person(world, 'alice'), { name: 'of alice' })
  const absent = still(await bob.load(world.page('/nothing')))
  for (const path of [
    '/servers/secret/plans/clients',
    '/servers/no/such/clients',
    '/servers/dev/notes/revoke',
    '/servers/secret/plans/revoke',
    `/tokens/${id}/revoke`,
    '/tokens/nothing/revoke',
    '/accounts',
    '/accounts/state',
    '/accounts/ci/servers/dev/notes/revoke',
    '/admin',
    '/admin/accounts',
    '/admin/accounts/ci',
    '/admin/access',
    '/admin/access?server=dev/notes&who=alice@example.com',
    '/admin/connections',
    '/admin/audit',
    '/admin/checks',
  ]) {
    expect([path, still(await bob.load(world.page(path)))]).toEqual([path, absent])
  }
  for (const path of [
    '/servers/secret/plans/connect',
    '/servers/public/wiki/connect',
    '/servers/no/such/connect',
    '/servers/secret/plans/revoke',
    `/tokens/${id}/revoke`,
    '/accounts/ci/servers/dev/notes/connect',
    '/accounts/ci/servers/dev/notes/revoke',
    '/accounts/nobody/servers/dev/notes/connect',
    '/admin/accounts/ci/keys',
    '/admin/accounts/ci/keys/x/revoke',
    '/admin/checks',
  ]) {
    const answer = await post(world, bob, path, { name: 'x', server: 'dev/notes' })
    expect([path, still(answer)]).toEqual([path, absent])
  }
  // Somebody else's token is as good as before.
  expect(textOf(await alice.load(world.page('/tokens')))).toContain('of alice')
  expect(world.audits.filter(({ type }) => type === 'connection')).toEqual([])
})

const HOSTILE = `"><script>alert(1)</script><img src=x onerror=alert(2)>' onload='alert(3) {{7*7}} </textarea>`

test('names with markup in them are text everywhere', async () => {
  const world = await open({
    people: { ...PEOPLE, root: { ...PEOPLE.root, name: HOSTILE.slice(0, 90) } },
    config: {
      virtualAccounts: {
        ci: { description: HOSTILE, owners: [`user:corp/${'<b>x</b>'}@example.com`, 'user:corp/root@example.com'] },
      },
    },
  })
  const browser = await world.signIn('root')
  const root = await person(world, 'root')
  const { servers } = world.gateway
  const wiki = servers.list()['public/wiki']
  const notes = servers.list()['dev/notes']
  if (wiki === undefined || notes === undefined) throw new Error('the world has changed')
  await servers.set('public/wiki', { ...wiki, label: HOSTILE, description: HOSTILE })
  await servers.set('dev/notes', { ...notes, label: HOSTILE, description: HOSTILE })
  const { key, id } = await world.gateway.keys.create(root, { name: HOSTILE })
  const ciKey = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: HOSTILE })
  await fetch(`${world.origin}/mcp/public/wiki/server`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: HOSTILE, arguments: {} } }),
  })
  const query = new URLSearchParams({ server: HOSTILE, who: HOSTILE, name: HOSTILE, kind: HOSTILE, after: HOSTILE })
  const asked = new URLSearchParams({ server: 'public/wiki', who: 'root@example.com', kind: 'tool', name: HOSTILE })
  for (const path of [
    '',
    `?${query}`,
    '/virtual',
    '/tokens',
    `/tokens?${query}`,
    `/tokens/${id}/revoke`,
    '/servers/public/wiki/clients',
    '/accounts',
    '/admin/accounts',
    '/admin/accounts/ci',
    `/admin/accounts/ci/keys/${ciKey.id}/revoke`,
    `/admin/access?${query}`,
    `/admin/access?${asked}`,
    `/admin/connections?${query}`,
    '/admin/audit',
    `/admin/audit?${query}`,
    `/admin/checks?${query}`,
  ]) {
    const page = await browser.load(world.page(path))
    expect([path, page.status]).toEqual([path, 200])
    checkPage(path, page)
  }
  for (const [from, path] of [
    ['/tokens', '/tokens'],
    ['/admin/accounts/ci', '/admin/accounts/ci/keys'],
  ] as const) {
    const made = await press(browser, await browser.load(world.page(from)), new RegExp(`${path}$`), {
      name: HOSTILE,
      server: HOSTILE,
    })
    expect(made.status).toBe(200)
    checkPage(`POST ${path}`, made)
  }
  const nothing = await browser.load(world.page(`/${encodeURIComponent('<b>')}`))
  expect([400, 404]).toContain(nothing.status)
  expect(nothing.body).not.toContain('<b>')
})

/** That nothing of {@link HOSTILE} has become markup, and the page keeps to its own policy. */
function checkPage(path: string, { body, headers }: LoadedPage): void {
  const policy = String(headers['content-security-policy'])
  const [, nonce = ''] = /script-src 'nonce-([\w-]+)'/.exec(policy) ?? []
  expect([path, nonce]).toEqual([path, expect.stringMatching(/^[\w-]{22}$/)])
  expect(policy).toBe(
    `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'; connect-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  )
  expect(headers).toMatchObject({
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  })
  const markup = body.replaceAll(/<(script|style) nonce="[\w-]{22}">.*?<\/\1>/gs, '')
  const tags = (markup.match(/<[^>]*>/g) ?? []).map((tag) => tag.replaceAll(/"[^"]*"/g, '""')).join('\n')
  expect([path, /<script|<style|<img|\son[a-z]+=|\sstyle=|javascript:/i.exec(tags)]).toEqual([path, null])
  expect([path, body.split(`nonce="${nonce}"`).length - 1]).toEqual([
    path,
    body.split(/<(?:script|style)\b/).length - 1,
  ])
}

test('a token is in the answer that made it, and nowhere else: no URL, no cookie, no event, no other page', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const made = await press(browser, await browser.load(world.page('/tokens')), /\/tokens$/, { name: 'x' })
  const [key = 'none'] = /spp_\w{49}/.exec(made.body) ?? []
  expect(made.way).toEqual([world.page('/tokens')])
  expect(browser.cookies().join()).not.toContain(key)
  expect(JSON.stringify(world.audits)).not.toContain(key)
  for (const path of ['', '/tokens', '/virtual', '/servers/dev/notes/clients']) {
    expect((await browser.load(world.page(path))).body).not.toContain(key.slice(8))
  }
})

test('while the store is down every page that needs it and every form says so with 503, and nothing of why', async () => {
  let down = false
  const world = await open({
    wrapStore: (inner) =>
      new Proxy(inner, {
        get(target, name: keyof TokenStore) {
          const method = target[name]
          if (typeof method !== 'function' || !['get', 'put', 'list', 'scan', 'take', 'delete'].includes(name))
            return method
          return (...args: never[]) =>
            down
              ? Promise.reject(new StoreError('the disk at /var/lib/secret-place is full'))
              : (method as (...all: never[]) => unknown).apply(target, args)
        },
      }),
  })
  const browser = await world.signIn('root')
  const page = await browser.load(world.page('/tokens'))
  down = true
  const paths = [
    '',
    '/tokens',
    '/virtual',
    '/tokens/x/revoke',
    '/servers/dev/notes/revoke',
    '/accounts',
    '/accounts/state',
    '/accounts/broad/servers/dev/notes/revoke',
    '/admin/accounts',
    '/admin/connections',
  ]
  for (const path of paths) {
    const answer = await browser.load(world.page(path))
    expect([path, answer.status, headingOf(answer)]).toEqual([path, 503, 'This is not available right now'])
    expect(answer.headers['retry-after']).toBe('10')
    expect(answer.body).not.toContain('secret-place')
  }
  const failed = await press(browser, page, /\/tokens$/, { name: 'x' })
  expect([failed.status, headingOf(failed)]).toEqual([503, 'This is not available right now'])
  down = false
  // What came to nothing has used nothing up.
  expect((await press(browser, page, /\/tokens$/, { name: 'y' })).status).toBe(200)
})

test('what is sent to pages of administrators by anybody else is answered as what is sent to no page', async () => {
  const world = await open()
  const bob = await world.signIn('bob')
  const send = (browser: FormBrowser, path: string) =>
    browser.load(world.page(path), { method: 'POST', form: {}, headers: { origin: world.origin } })
  const absent = still(await send(bob, '/admin/nothing'))
  for (const path of ['/admin', '/admin/access', '/admin/audit', '/admin/checks', '/admin/accounts/ci/keys']) {
    expect([path, still(await send(bob, path))]).toEqual([path, absent])
    expect([path, still(await post(world, bob, path))]).toEqual([path, absent])
  }
  const alice = await world.signIn('alice')
  expect((await send(alice, '/admin/access')).status).toBe(405)
  expect((await send(alice, '/admin/checks')).status).toBe(403)
})

test.each(['identify', 'start'] as const)(
  'where %s of the application fails, the page says 503, and nothing of why',
  async (fails) => {
    const broken = () => {
      throw new Error('connect ECONNREFUSED 10.1.1.1:5432')
    }
    const redirect = { status: 302, headers: { location: '/x' }, body: '' }
    const signIn = { identify: async () => null, start: () => redirect, [fails]: broken }
    const world = await open({ config: { signIn } })
    const answer = await new FormBrowser().load(world.page())
    expect([answer.status, headingOf(answer)]).toEqual([503, 'This is not available right now'])
    expect(answer.body).not.toContain('10.1.1.1')
  },
)

test('while nobody can tell who is signed in, the answer is 503', async () => {
  const world = await open({
    config: {
      signIn: {
        integrations: ['corp'],
        identify: () => Promise.reject(new StoreError('the session cannot be had at present')),
        start: () => ({ status: 302, headers: { location: '/' } }),
      },
    },
  })
  const response = await fetch(world.page(), { redirect: 'manual' })
  expect(response.status).toBe(503)
  expect(response.headers.get('content-type')).toContain('text/html')
})

test.each([
  ['undefined, as of a session that is not there', undefined],
  ['null', null],
])('an identify() of the application that answers %s has found nobody, who signs in first', async (_, found) => {
  const signIn = {
    identify: () => found,
    start: () => ({ status: 302, headers: { location: '/sign-in' } }),
  } as unknown as SignIn
  const world = await open({ config: { signIn } })
  const answer = await new FormBrowser().load(world.page(), { follow: false })
  expect([answer.status, answer.headers.location]).toEqual([302, '/sign-in'])
})

test.each([
  ['a string', 'ann', 'a string; nobody is null'],
  ['half an identity', { id: 'i', integration: 'corp', subject: 'SENTINEL' }, 'without groups, claims'],
  ['groups that are none', { id: 'i', integration: 'corp', subject: 'a', groups: 'a', claims: {} }, 'without groups'],
])('an identify() of the application that answers with %s is told to the operator', async (_, found, told) => {
  const warnings: string[] = []
  const collect = ({ message }: Error) => warnings.push(message)
  process.on('warning', collect)
  onTestFinished(() => void process.off('warning', collect))
  const signIn = { identify: () => found, start: () => ({ status: 302 }) } as unknown as SignIn
  const world = await open({ config: { signIn } })
  const answer = await new FormBrowser().load(world.page())
  expect([answer.status, headingOf(answer)]).toEqual([503, 'This is not available right now'])
  await expect.poll(() => warnings.join()).toContain(`something that is no identity: ${told}`)
  expect(warnings.join()).not.toContain('SENTINEL')
})

test('a server that is taken away meanwhile: its button leads nowhere, and the connection can still be revoked', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const page = await browser.load(world.page())
  const consent = await press(browser, page, /\/dev\/notes\/connect$/)
  await follow(browser, await browser.submit(consent, {}), 'bob')
  await world.gateway.configure({
    servers: Object.fromEntries(Object.entries(world.gateway.servers.list()).filter(([name]) => name !== 'dev/notes')),
    access: [{ to: 'user:corp/*', on: 'public/*' }],
  })
  expect((await press(browser, page, /\/dev\/notes\/connect$/)).status).toBe(404)
  const after = await browser.load(world.page())
  expect(textOf(after)).toContain('Other connections of yours')
  expect(textOf(after)).toContain('dev/notes')
  const question = await browser.load(world.page('/servers/dev/notes/revoke'))
  expect(headingOf(question)).toBe('Revoke the connection to dev/notes?')
  const gone = await browser.submit(question, {})
  expect(textOf(gone)).not.toContain('Other connections of yours')
  expect(await world.gateway.connections.list(await person(world, 'bob'))).toEqual([])
})

test('a role that is taken away meanwhile: the page does not show the server any more, nor connect it', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const page = await browser.load(world.page())
  await world.gateway.access.set([{ to: 'user:corp/*', on: 'public/*' }])
  expect((await press(browser, page, /\/dev\/notes\/connect$/)).status).toBe(404)
  expect(textOf(await browser.load(world.page()))).not.toContain('Notes')
})

test('the pages are where they are configured, in one spelling, and take nothing else from the application', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  for (const path of ['/gatewayx', '/gateway-x', '/other']) {
    expect([path, (await browser.load(world.origin + path)).body.includes('Hello')]).toEqual([path, true])
  }
  expect((await browser.load(world.page('/'))).status).toBe(200)
  for (const path of ['/gateway//tokens', '/gateway/%74okens', '/x/../gateway/tokens', '/gateway;x']) {
    expect([path, await raw(world, path)]).toEqual([path, 400])
  }
})

async function raw(world: PortalWorld, target: string): Promise<number> {
  const { request } = await import('node:http')
  return new Promise((resolve, reject) => {
    const sent = request(world.origin, { path: target })
    sent.once('response', (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    sent.once('error', reject)
    sent.end()
  })
}

test('consent, errors and the end of a session have the brand of the configuration', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  const page = await browser.load(world.page())
  const pages = [
    page,
    await press(browser, page, /\/dev\/notes\/connect$/),
    await browser.load(world.page('/nothing')),
    await browser.load(world.page('/tokens'), { method: 'POST', form: {} }),
    await browser.load(`${world.origin}/connect/${'x'.repeat(43)}`),
  ]
  browser.clear()
  pages.push(await press(browser, page, /\/dev\/notes\/connect$/))
  expect(pages.map(({ status }) => status)).toEqual([200, 200, 404, 403, 404, 403])
  for (const { body, url } of pages) {
    expect([url, body.includes('<span>Example Tools</span>')]).toEqual([url, true])
    expect([url, body.includes('<a href="/help" rel="noreferrer">Help</a>')]).toEqual([url, true])
  }
})

test('where signing out is, is said by a guard with login only', async () => {
  const world = await open()
  expect(world.guard.signOutUrl).toBe(`${world.origin}/.sallyport/sign-out`)
  expect(createGuard({ routes: [{ path: '/', auth: { type: 'none' } }] }).signOutUrl).toBeUndefined()
})

test('a closed gateway answers 503', async () => {
  const world = await open()
  const browser = await world.signIn('bob')
  await world.gateway.close()
  expect((await browser.load(world.page())).status).toBe(503)
})
