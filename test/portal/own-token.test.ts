/** Virtual servers with a member that takes the token of somebody's own sign-in only: a token of the pages opens nothing there. */
import { expect, test } from 'vitest'
import { open } from './open.ts'
import { press, textOf } from './page-reader.ts'

const WIKI = { 'public/wiki': { include: '*', prefix: 'wiki_' } } as const

test('it is ready for nobody who brings no token, and the pages make none for it', async () => {
  const world = await open({
    config: {
      virtualServers: {
        'team/needed': { tools: { 'core/orders': '*', ...WIKI } },
        'team/consent': { tools: { 'core/orders': '*', 'dev/notes': { prefix: 'n_' } } },
        'team/beside': { require: 'any', tools: { 'core/orders': '*', ...WIKI } },
        'team/nothing-else': { require: 'any', tools: { 'core/orders': '*' } },
        'team/open': { tools: WIKI },
      },
    },
  })
  const bob = await world.signIn('bob')
  const page = textOf(await bob.load(world.page('/virtual')))
  expect(page).toContain('team/needed Bring your token')
  expect(page).toContain('team/consent Bring your token 1 of 2 to connect')
  expect(page).toContain('team/nothing-else Bring your token')
  expect(page).toContain('team/beside Ready')
  expect(page).toContain('team/open Ready')
  const tokens = await bob.load(world.page('/tokens'))
  const offered = [...tokens.body.matchAll(/<option value="(team\/[\w-]+)"/g)].map(([, name]) => name)
  expect(offered).toEqual(['team/beside', 'team/open'])
  const made = await press(bob, tokens, /\/tokens$/, { name: 'x', server: 'team/needed' })
  expect(textOf(made)).not.toContain('Settings for')
  for (const [name, works] of Object.entries({ 'team/needed': false, 'core/orders': false, 'team/beside': true })) {
    const setUp = textOf(await bob.load(world.page(`/servers/${name}/clients`)))
    expect([name, setUp.includes('Make a token with these settings')]).toEqual([name, works])
    expect([name, setUp.includes('Access tokens that are made here do not work')]).toEqual([name, !works])
  }
})
