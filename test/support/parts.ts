/**
 * The real parts that some tests run against: programs that `npm ci` does not
 * bring. Where one is missing, the test is skipped and its title names the part;
 * with SALLYPORT_REQUIRE_PARTS=1 (as in `.ci/run`) it fails instead.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, expect, test } from 'vitest'

/** Where to look for a part: the names of its program, folders beside PATH, and a proof that it is fit for use. */
interface Search {
  names: readonly string[]
  folders?: () => string[]
  works?: (path: string) => boolean
}

const searches = {
  chromium: { names: ['chromium', 'chromium-browser', 'google-chrome'] },
  curl: { names: ['curl'] },
  /** Python 3 with the `requests` package. */
  python: {
    names: ['python3', 'python'],
    works: (path) => spawnSync(path, ['-c', 'import requests'], { stdio: 'ignore' }).status === 0,
  },
  redis: { names: ['redis-server', 'valkey-server'] },
  pgbouncer: { names: ['pgbouncer'], folders: () => ['/usr/sbin'] },
  postgres: { names: ['postgres'], folders: () => subfolders('/usr/lib/postgresql').map((path) => join(path, 'bin')) },
} satisfies Record<string, Search>

/** The name of a real part. */
export type Part = keyof typeof searches

const found = new Map<Part, string | undefined>()

/**
 * The path of a part's program, or `undefined` when it is not there.
 * `SALLYPORT_TEST_PYTHON` (and so on, a variable per part) says which one to use.
 */
export function part(name: Part): string | undefined {
  if (!found.has(name)) found.set(name, look(name))
  return found.get(name)
}

function look(name: Part): string | undefined {
  const { names, folders, works }: Search = searches[name]
  const fits = (path: string) => isExecutable(path) && (works === undefined || works(path))
  const chosen = process.env[`SALLYPORT_TEST_${name.toUpperCase()}`]
  if (chosen !== undefined && chosen !== '') return fits(chosen) ? chosen : undefined
  const path = [...(process.env.PATH ?? '').split(delimiter), ...(folders?.() ?? [])]
  return path.flatMap((folder) => names.map((program) => join(folder, program))).find(fits)
}

/** The paths of parts, by name. */
export type Paths<Name extends Part> = Record<Name, string>

/**
 * A test that needs parts; `body` receives their paths.
 * `testWith('curl', 'A5 works with curl --user', async ({ curl }) => …)`
 */
export function testWith<Name extends Part>(
  names: Name | readonly Name[],
  title: string,
  body: (paths: Paths<Name>) => void | Promise<void>,
  timeoutMs?: number,
): void {
  const { missing, paths } = gather(names)
  if (missing.length === 0) test(title, () => body(paths), timeoutMs)
  else withoutParts(title, missing)
}

/** A suite that needs parts; `body` receives their paths, and is not called at all when one is missing. */
export function describeWith<Name extends Part>(
  names: Name | readonly Name[],
  title: string,
  body: (paths: Paths<Name>) => void,
): void {
  const { missing, paths } = gather(names)
  if (missing.length === 0) describe(title, () => body(paths))
  else withoutParts(title, missing)
}

function gather<Name extends Part>(names: Name | readonly Name[]): { missing: Name[]; paths: Paths<Name> } {
  const wanted = typeof names === 'string' ? [names] : names
  const paths = wanted.map((name) => [name, part(name)] as const)
  return {
    missing: paths.filter(([, path]) => path === undefined).map(([name]) => name),
    paths: Object.fromEntries(paths) as Paths<Name>,
  }
}

/** What stands in for a test or a suite: skipped, or failing where parts are required. */
function withoutParts(title: string, missing: readonly Part[]): void {
  const required = process.env.SALLYPORT_REQUIRE_PARTS === '1'
  test.skipIf(!required)(`${title} [missing: ${missing.join(', ')}]`, () => {
    expect.fail(`SALLYPORT_REQUIRE_PARTS=1, and missing: ${missing.join(', ')}`)
  })
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function subfolders(path: string): string[] {
  try {
    return readdirSync(path).map((name) => join(path, name))
  } catch {
    return []
  }
}
