/** G1, G2, G3, G22: the tokens that callers come with, whichever they have, and those that are no good. */
import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Token } from '../ask.ts'
import { eventually } from '../eventually.ts'
import { callTool } from '../mcp.ts'
import type { Target } from '../servers.ts'
import type { GatewayChapter } from './stage.ts'

const server = 'public/calculator'
const refused = '401 4010 Bearer resource_metadata error'

export const callers: GatewayChapter = async ({ demo: { targets, gateways }, walk, tokens }) => {
  const add = (token?: Token) => (target: Target) =>
    callTool(target, { server, ...(token === undefined ? {} : { token }) }, 'add', { a: 2, b: 3 })
  const tryWith = (row: string, token: Token, expected: string) =>
    walk.onEach(row, `add(2, 3) of ${server}  Bearer <${token.name}>`, expected, add(token))

  walk.chapter(
    'G1  One endpoint, three kinds of tokens: personal tokens, virtual accounts, JWTs of an identity provider',
  )
  await tryWith('G1', tokens.alicePersonal, '200 5')
  await tryWith('G3', tokens.alice, '200 5')
  await tryWith('G3', tokens.carol, '200 5')
  await walk.onEach('G22', 'alice by either token is', 'one person', async ({ gateway }) => {
    const found = await Promise.all(
      [tokens.alice, tokens.alicePersonal].map(({ jwt }) => gateway.identify(`Bearer ${jwt}`)),
    )
    return new Set(found.map((each) => each?.id)).size === 1 && found[0] ? 'one person' : 'several'
  })
  await walk.onEach(
    'G2',
    'search_dataset(public/weather) of data/hub  Bearer <nightly>',
    '200 3 rows of public/weather, by the key of the company',
    (target) =>
      callTool(target, { server: 'data/hub', token: tokens.nightly }, 'search_dataset', { dataset: 'public/weather' }),
  )

  walk.chapter('G1  Tokens that are no good')
  await walk.onEach('B4', `add(2, 3) of ${server}, no token`, '401 4010 Bearer resource_metadata', add())
  await tryWith('G1', tokens.mistyped, refused)
  await tryWith('G3', tokens.otherAudience, refused)

  const [first] = targets
  if (first === undefined) return
  const { keys } = first.gateway
  const made = await keys.create(tokens.aliceIdentity, { name: 'lost phone' })
  const lost = { name: 'alice, lost phone', jwt: made.key }
  await tryWith('G1', lost, '200 5')
  await walk.onEach('G1', 'keys that a user sees of her own, by name', 'laptop, lost phone', async ({ gateway }) =>
    (await gateway.keys.list(tokens.aliceIdentity)).map(({ name }) => name).join(', '),
  )
  await keys.revoke(tokens.aliceIdentity, made.id)
  await walk.onEach('G1', '… after she has revoked it, within seconds', refused, (target) =>
    eventually('200 5', () => add(lost)(target)),
  )
  await walk.once('G1', 'API keys to be read in the database', '0 of 2', async () => {
    const bytes = await readDatabase(gateways.file)
    const found = [tokens.alicePersonal, tokens.nightly].filter(({ jwt }) => bytes.includes(jwt))
    return `${found.length} of 2`
  })
}

/** The database with all that belongs to it. */
export async function readDatabase(file: string): Promise<Buffer> {
  const names = await readdir(dirname(file))
  const files = names.filter((name) => name.startsWith(basename(file)))
  return Buffer.concat(await Promise.all(files.map((name) => readFile(join(dirname(file), name)))))
}
