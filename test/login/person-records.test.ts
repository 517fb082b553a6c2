/** The records of people that sign-ins and refreshes write: personal tokens get their groups from there. */
import { describe, expect, it } from 'vitest'
import { findPeople } from '../../src/identity/find-people.ts'
import { createPeople, PEOPLE, type Person } from '../../src/identity/people.ts'
import { generateKey, type Integration } from '../../src/index.ts'
import { sealed } from '../../src/store/sealed.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { openStall, type Stall, type StallOptions, whoIs } from './stall.ts'

/** A stall, and the records that it has written. */
async function openWithRecords(options: StallOptions = {}) {
  const key = generateKey()
  const inner = memoryStore()
  const store = sealed(inner, [key])
  const stall = await openStall({ ...options, login: { store: inner, keys: [key] } })
  const people = createPeople(store, stall.clock)
  async function record(): Promise<Person | undefined> {
    const [first] = (await inner.scan(PEOPLE)).records
    return people.read(first?.key.owner ?? '')
  }
  return { stall, record, inner, store, people }
}

const idTokenOnly = { jwtSource: 'id_token', audience: 'shop' } as const

/** Makes groups `said` from now on, by the ID token or else by UserInfo. */
type Says = (said: string) => void
/** Makes refreshes say nothing new. */
type Hush = () => void

const silent: [what: string, options: StallOptions, set: (stall: Stall) => { says: Says; hush: Hush }][] = [
  [
    'without an ID token, which is what is judged',
    { integration: idTokenOnly },
    ({ provider: { hooks } }) => ({
      says: (said) => {
        hooks.idToken = (claims) => ({ ...claims, groups: [said] })
      },
      hush: () => {
        hooks.answer = ({ id_token: _, ...body }) => body
      },
    }),
  ],
  [
    'while UserInfo, which says the groups, fails',
    { integration: { groupsClaim: 'roles' }, oauth2: { userInfo: true } },
    ({ provider: { hooks } }) => ({
      says: (said) => {
        hooks.userInfo = (claims) => ({ ...claims, roles: [said] })
      },
      hush: () => {
        hooks.userInfo = () => ({ error: 'server_error' })
      },
    }),
  ],
  [
    'whose tokens nobody can check',
    { integration: { ...idTokenOnly, groupsClaim: 'roles' }, oauth2: { userInfo: true } },
    ({ provider: { hooks } }) => ({
      says: (said) => {
        hooks.userInfo = (claims) => ({ ...claims, roles: [said] })
      },
      hush: () => {
        hooks.userInfo = () => ({ error: 'server_error' })
        hooks.answer = ({ id_token: _, ...body }) => body
      },
    }),
  ],
]

describe('a refresh', () => {
  it.each(silent)('%s leaves the groups as a later sign-in has said them', async (_what, options, set) => {
    const { stall, record } = await openWithRecords(options)
    const { says, hush } = set(stall)
    says('admin')
    await stall.browser.load(`${stall.origin}/`)
    expect((await record())?.groups).toEqual(['admin'])
    stall.clock.advance(1800)
    says('guest')
    await stall.newBrowser().load(`${stall.origin}/`)
    const known = await record()
    expect(known?.groups).toEqual(['guest'])
    hush()
    stall.clock.advance(1801)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    expect(stall.provider.count('POST /token')).toBe(3)
    expect(await record()).toEqual(known)
  })

  it.each([
    ['the token', {}],
    ['the token, which says none any more, while UserInfo fails', { oauth2: { userInfo: true } }],
    ['UserInfo, where no ID token comes', { integration: idTokenOnly, oauth2: { userInfo: true } }],
  ] as const)('writes the groups that it says anew: by %s', async (by, options) => {
    const { stall, record } = await openWithRecords(options)
    const { hooks } = stall.provider
    const byUserInfo = by.startsWith('UserInfo')
    const says = (groups: string[] | undefined) => ({ ...(groups && { groups }) })
    let groups: string[] | undefined = ['admin']
    hooks.accessToken = ({ groups: _, ...claims }) => ({ ...claims, ...says(groups) })
    hooks.idToken = ({ groups: _, ...claims }) => claims
    hooks.userInfo = ({ groups: _, ...claims }) => ({ ...claims, ...(byUserInfo && says(groups)) })
    hooks.answer = ({ id_token, ...body }, sent) => (sent.has('code') ? { ...body, id_token } : body)
    await stall.browser.load(`${stall.origin}/`)
    expect((await record())?.groups).toEqual(['admin'])
    groups = by.includes('none any more') ? undefined : ['guest']
    if (groups === undefined) hooks.userInfo = () => ({ error: 'server_error' })
    stall.clock.advance(3601)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    expect(await record()).toMatchObject({ groups: groups ?? [], seenAt: stall.clock.now() })
  })

  it('at one integration leaves the record as a later sign-in at another of the same issuer has written it', async () => {
    const integration: { -readonly [Key in keyof Integration]?: Integration[Key] } = { groupsClaim: 'roles' }
    const { stall, record } = await openWithRecords({
      other: { integration },
      prepare: ({ issuer }) => {
        integration.issuer = issuer
      },
    })
    await stall.browser.load(`${stall.origin}/other`)
    expect(await record()).toMatchObject({ integration: 'other', groups: [] })
    stall.clock.advance(1800)
    await stall.browser.load(`${stall.origin}/`)
    const known = await record()
    expect(known).toMatchObject({ integration: 'corp', groups: ['staff'] })
    stall.clock.advance(1801)
    expect(await whoIs(stall.browser, `${stall.origin}/other`)).toBe('alice')
    expect(stall.logins.at(-1)?.kind).toBe('refreshed')
    expect(await record()).toEqual(known)
    // The later one's own refreshes do.
    stall.provider.hooks.accessToken = (claims) => ({ ...claims, groups: ['left'] })
    stall.clock.advance(1801)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    expect((await record())?.groups).toEqual(['left'])
  })
})

describe('a record that is none', () => {
  it.each([
    'does not open',
    'not json',
    'null',
    '5',
    '{}',
    '{"id":"a","subject":"a","integration":"corp","issuer":"x","groups":[7],"seenAt":1}',
    '{"id":"a","subject":"a","integration":"corp","issuer":"x","groups":[],"seenAt":"later"}',
    '{"id":"a","subject":"a","integration":"corp","issuer":"x","groups":[],"seenAt":1,"email":1}',
  ])('(%s) keeps nobody from signing in, and hides nobody else', async (text) => {
    const { stall, inner, store, people } = await openWithRecords()
    await stall.browser.load(`${stall.origin}/`)
    const [spoilt] = (await inner.scan(PEOPLE)).records
    if (spoilt === undefined) throw new Error('no record')
    const { key, version } = spoilt
    await (text === 'does not open' ? inner : store).put(key, Buffer.from(text), { ifVersion: version })
    stall.provider.subject = 'bob'
    await stall.newBrowser().load(`${stall.origin}/`)
    expect(await findPeople(store, people, 'bob')).toMatchObject([{ subject: 'bob' }])
    expect(await findPeople(store, people, 'alice')).toEqual([])
    if (text !== 'does not open') expect(await people.read(key.owner)).toBeUndefined()
    stall.provider.subject = 'alice'
    const again = stall.newBrowser()
    await again.load(`${stall.origin}/`)
    expect(await whoIs(again, `${stall.origin}/`)).toBe('alice')
    expect(await people.read(key.owner)).toMatchObject({ subject: 'alice', groups: ['staff'] })
  })
})
