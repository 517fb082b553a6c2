/** The list of virtual accounts, where there are many of them: on several pages, and nobody else has to wait (G2). */
import type { VirtualAccountConfig } from 'sallyport/gateway'
import { expect, test } from 'vitest'
import type { FormBrowser } from '../support/form-browser.ts'
import { open } from './open.ts'
import { textOf } from './page-reader.ts'
import type { PortalWorld } from './portal-world.ts'

function accounts(prefix: string, count: number): Record<string, VirtualAccountConfig> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`${prefix}${String(n).padStart(4, '0')}`, {}]))
}

/** The accounts of each page, and where the last link has led. */
async function pages(world: PortalWorld, browser: FormBrowser): Promise<string[][]> {
  const found: string[][] = []
  let url: string | undefined = world.page('/admin/accounts')
  while (url !== undefined) {
    const page = await browser.load(url)
    found.push([...page.body.matchAll(/href="\/gateway\/admin\/accounts\/([\w-]+)"/g)].map(([, name = '']) => name))
    const [, more]: RegExpExecArray | [] = /href="([^"]*[?&;]after=[^"]*)"/.exec(page.body) ?? []
    // Where it goes on is an account that may be none of theirs.
    expect(more ?? '').not.toMatch(/(?:seen|other)\d{4}/)
    url = more === undefined ? undefined : world.origin + more.replaceAll('&amp;', '&')
  }
  return found
}

const ACCESS = [
  { to: 'group:corp/dev-admins', on: 'dev/*', role: 'admin' },
  { to: 'virtual-account:seen*', on: 'dev/*' },
  { to: 'virtual-account:*', on: 'public/*' },
] as const

test('many come on several pages, none of them twice', async () => {
  const virtualAccounts = { ...accounts('other', 1_200), ...accounts('seen', 130) }
  const world = await open({ config: { virtualAccounts, access: ACCESS } })
  const found = await pages(world, await world.signIn('alice'))
  expect(found.flat()).toEqual(Object.keys(accounts('seen', 130)))
  expect(found.map(({ length }) => length)).toEqual([0, 100, 30])
})

test('one account is judged after the other, and requests of others have their turn in between', async () => {
  let turns = 0
  const judged = new Map<string, number>()
  const world = await open({
    config: {
      virtualAccounts: accounts('seen', 90),
      access: ACCESS,
      decide({ caller, granted }) {
        if (caller.kind === 'virtual-account') judged.set(caller.identity.subject, turns)
        return granted.allowed
      },
    },
  })
  const browser = await world.signIn('alice')
  let waiting: NodeJS.Immediate | undefined
  const turn = () => {
    turns++
    waiting = setImmediate(turn)
  }
  turn()
  await browser.load(world.page('/admin/accounts'))
  clearImmediate(waiting)
  expect(judged.size).toBe(90)
  expect(new Set(judged.values()).size).toBe(90)
})

test('a decide() is asked about servers that they administer only, and no account is there where it fails', async () => {
  const asked = new Set<string>()
  let fails = false
  const world = await open({
    config: {
      virtualAccounts: accounts('seen', 5),
      access: ACCESS,
      decide({ caller, server, granted }) {
        if (caller.kind !== 'virtual-account') return granted.allowed
        if (fails) throw new Error('the policy service is away')
        asked.add(server)
        return granted.allowed && caller.identity.subject !== 'seen0003'
      },
    },
  })
  const browser = await world.signIn('alice')
  expect(await pages(world, browser)).toEqual([['seen0000', 'seen0001', 'seen0002', 'seen0004']])
  expect([...asked]).toEqual(['dev/notes'])
  fails = true
  const page = await browser.load(world.page('/admin/accounts'))
  expect([page.status, textOf(page).includes('not available right now')]).toEqual([503, true])
})
