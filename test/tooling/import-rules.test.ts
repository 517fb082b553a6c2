/**
 * The import rules of `.dependency-cruiser.cjs` catch what they are for. The
 * sources are copied, and violations planted in the copy.
 */
import { execFile } from 'node:child_process'
import { appendFile, cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
let copy: string
/** What the sources violate as they are: nothing, one hopes. */
let before: string[]

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'sallyport-rules-'))
  for (const name of ['.dependency-cruiser.cjs', 'package.json', 'tsconfig.json', 'src', 'adapters']) {
    await cp(join(root, name), join(copy, name), { recursive: true })
  }
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  before = (await cruise()).violations
})

afterAll(() => rm(copy, { recursive: true, force: true }))

/** Runs dependency-cruiser over the copy: its exit code, and each violation as `rule: from → to`. */
function cruise(): Promise<{ code: unknown; violations: string[] }> {
  const cli = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
  const args = [cli, '--output-type', 'err', 'src', 'adapters']
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: copy, env: { ...process.env, NO_COLOR: '1' } }, (error, stdout, stderr) => {
      if (!stdout.includes('dependencies cruised')) return reject(new Error(`no verdict: ${stdout}${stderr}`))
      const lines = stdout.matchAll(/^ *error (\S+): (\S+) →\s+(\S+)/gm)
      const short = (path = '') => path.replace(/^.*node_modules\/([^/]+).*$/, '$1')
      resolve({
        code: error?.code ?? 0,
        violations: [...lines].map(([, rule, from, to]) => `${rule}: ${from} → ${short(to)}`).sort(),
      })
    })
  })
}

async function plant(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(copy, path)), { recursive: true })
  await writeFile(join(copy, path), text)
}

test('the sources keep the import rules', () => {
  expect(before).toEqual([])
})

test('every kind of forbidden import is reported with its rule', async () => {
  await plant('src/guard/planted.ts', 'export const planted = 1\nexport type Planted = 1\n')
  await plant('src/gateway/planted.ts', 'export const planted = 1\n')
  await plant('src/stores/sqlite-planted.ts', "import 'node:sqlite'\n")
  await plant('src/http/planted.ts', 'export const planted = 1\n')
  await plant('test/planted.ts', 'export const planted = 1\n')

  await plant('src/core/upward.ts', "import '../guard/planted.ts'\n")
  await plant('src/core/upward-type.ts', "export type { Planted } from '../guard/planted.ts'\n")
  await plant('src/core/upward-lazy.ts', "export const later = () => import('../guard/planted.ts')\n")
  await plant('src/core/packages.ts', "import 'vitest'\nimport 'not-installed'\n")
  await plant('src/core/elsewhere.ts', "import '../../test/planted.ts'\nimport '../../adapters/planted.ts'\n")
  await plant('src/core/entry.ts', "import '../planted-entry.ts'\n")
  await plant('src/planted-entry.ts', "import './gateway/planted.ts'\n")
  await plant('src/basement/planted.ts', 'export const planted = 1\n')
  await plant('src/gateway/room.ts', "import '../basement/planted.ts'\n")
  await plant('src/match/egg.ts', "import './hen.ts'\n")
  await plant('src/match/hen.ts', "import './egg.ts'\n")
  await plant(
    'adapters/planted.ts',
    "import '../src/http/planted.ts'\nimport '../src/guard/planted.ts'\nimport 'jose'\n",
  )
  await appendFile(join(copy, 'src/index.ts'), "\nimport './planted-entry.ts'\nimport './stores/sqlite-planted.ts'\n")

  const { code, violations } = await cruise()

  expect(code).not.toBe(0)
  expect(violations.filter((line) => !before.includes(line))).toEqual([
    'declared-packages: src/core/packages.ts → vitest',
    'entry-on-top: src/core/entry.ts → src/planted-entry.ts',
    'framework-types-only: adapters/planted.ts → jose',
    'index-without-drivers: src/index.ts → node:sqlite',
    'index-without-drivers: src/index.ts → src/stores/sqlite-planted.ts',
    'index-without-gateway: src/index.ts → src/gateway/planted.ts',
    'no-cycle: src/match/egg.ts → src/match/hen.ts',
    'own-source-only: src/core/elsewhere.ts → test/planted.ts',
    'resolvable: src/core/packages.ts → not-installed',
    'room-core: src/core/upward-lazy.ts → src/guard/planted.ts',
    'room-core: src/core/upward-type.ts → src/guard/planted.ts',
    'room-core: src/core/upward.ts → src/guard/planted.ts',
    'src-without-adapters: src/core/elsewhere.ts → adapters/planted.ts',
    'thin-adapters: adapters/planted.ts → src/guard/planted.ts',
    'unknown-room: src/gateway/room.ts → src/basement/planted.ts',
  ])
})
