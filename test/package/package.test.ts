/**
 * The packed tarball, installed as a user would: from ES modules, CommonJS and
 * TypeScript. Everything happens in a temporary folder.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const fixtures = join(import.meta.dirname, 'fixtures')
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
const entries = Object.keys(manifest.exports)
  .filter((subpath) => manifest.exports[subpath].types !== undefined)
  .map((subpath) => manifest.name + subpath.slice(1))

let temp: string
/** A project with nothing but sallyport installed. */
let app: string
let packed: string[]

beforeAll(async () => {
  temp = await mkdtemp(join(tmpdir(), 'sallyport-package-'))
  app = join(temp, 'app')
  const { tarball, files } = await pack()
  packed = files
  await mkdir(app)
  await writeFile(join(app, 'package.json'), '{ "private": true }')
  const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--no-update-notifier']
  await run('npm', ['install', tarball, ...flags], app)
  for (const name of ['esm.mjs', 'cjs.cjs', 'loads.mjs', 'gateway.mjs']) await cp(join(fixtures, name), join(app, name))
}, 180_000)

afterAll(() => rm(temp, { recursive: true, force: true }))

/** Builds and packs a copy of the project, so that nobody's `dist/` changes under them. */
async function pack(): Promise<{ tarball: string; files: string[] }> {
  const copy = join(temp, 'copy')
  const left = new Set(['node_modules', '.git', 'dist', 'temp', 'coverage'].map((name) => join(root, name)))
  await cp(root, copy, { recursive: true, filter: (source) => !left.has(source) })
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  await run('npm', ['pack', '--pack-destination', temp], copy)
  const tarball = join(temp, `${manifest.name}-${manifest.version}.tgz`)
  const listed = await run('tar', ['-tzf', tarball], temp)
  return {
    tarball,
    files: listed
      .trim()
      .split('\n')
      .map((path) => path.replace(/^package\//, '')),
  }
}

/** Runs a program and returns what it prints; throws everything it said when it fails. */
function run(command: string, args: string[], cwd: string, more: NodeJS.ProcessEnv = {}): Promise<string> {
  // `npm test` describes this project to its children, which npm would take for the other one.
  const env = Object.entries(process.env).filter(
    ([name]) => !/^(npm_(package|lifecycle)_|npm_config_local_prefix$|VITEST|NODE_OPTIONS$)/.test(name),
  )
  return new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      { cwd, env: { ...Object.fromEntries(env), ...more }, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout)
        else reject(new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`))
      },
    )
  })
}

/** Runs a fixture in `app` and reads the JSON that it prints. */
async function report(fixture: string, args: string[] = [], env?: NodeJS.ProcessEnv) {
  return JSON.parse(await run(process.execPath, [fixture, ...args], app, env))
}

describe('the tarball', () => {
  test('holds what is built, the README and all that it leads to but pictures, the licence and package.json', async () => {
    const isOne = /^(?:dist\/(?:src|adapters)\/.+\.(?:js|d\.ts)|docs\/.+\.md|bench\/README\.md|examples\/[\w-]+\.ts)$/
    expect(packed.filter((path) => !isOne.test(path)).sort()).toEqual(['LICENSE', 'README.md', 'package.json'])
    const readme = await readFile(join(root, 'README.md'), 'utf8')
    const links = [...readme.matchAll(/\]\(((?:docs|bench)\/[^)#]+\.md)/g)].map(([, path]) => path)
    expect(links.length).toBeGreaterThan(10)
    expect(packed).toEqual(expect.arrayContaining(links))
  })

  test('holds the files of every entry point', () => {
    for (const { types, default: code } of Object.values<Record<string, string>>(manifest.exports)) {
      if (types !== undefined) expect(packed).toEqual(expect.arrayContaining([types.slice(2), code?.slice(2)]))
    }
  })

  test('asks for no peer that is not optional', () => {
    const peers = Object.keys(manifest.peerDependencies ?? {})
    expect(peers.filter((name) => manifest.peerDependenciesMeta?.[name]?.optional !== true)).toEqual([])
  })
})

describe('installed, without any framework', () => {
  test('works from an ES module', async () => {
    expect(await report('esm.mjs')).toEqual({
      open: [200, 'nobody'],
      without: [401, expect.stringMatching(/^Basic realm=/)],
      wrong: [401, expect.stringMatching(/^Basic realm=/)],
      right: [200, 'hello'],
    })
  })

  test('the gateway works from an ES module', async () => {
    expect(await report('gateway.mjs')).toEqual({
      open: [200, true, 'packed'],
      closed: [401, false, 4010],
      unknown: [401, false, 4010],
      application: 'the application',
    })
  })

  test('works from CommonJS', async () => {
    const exported = await report('cjs.cjs', entries)
    expect(exported.sallyport).toContain('createGuard')
    expect(exported['sallyport/gateway']).toContain('createGateway')
    for (const framework of ['express', 'koa', 'fastify', 'node']) {
      expect(exported[`sallyport/${framework}`]).toEqual(expect.arrayContaining(['authOf', 'sallyport']))
    }
  })

  test("import 'sallyport' loads no MCP package and no database driver", async () => {
    const coverage = join(temp, 'coverage')
    const builtins: string[] = await report('loads.mjs', [], { NODE_V8_COVERAGE: coverage })
    const files: string[] = []
    for (const name of await readdir(coverage)) {
      const { result } = JSON.parse(await readFile(join(coverage, name), 'utf8'))
      files.push(...result.map(({ url }: { url: string }) => url))
    }
    expect(files).toContain(pathToFileURL(join(app, 'node_modules/sallyport/dist/src/index.js')).href)
    // Newer versions of Node load their own copy of undici as soon as somebody looks for `fetch`.
    const loaded = files.filter((url) => !url.startsWith('node:'))
    expect(loaded.filter((url) => /modelcontextprotocol|undici|sqlite|libsql|redis|postgres|\/pg\//.test(url))).toEqual(
      [],
    )
    expect(files.filter((url) => /\/dist\/src\/(broker|mcp|gateway)\//.test(url))).toEqual([])
    expect(builtins.filter((name) => name.includes('sqlite'))).toEqual([])
  })
})

describe('in TypeScript, strict and with every declaration file checked', () => {
  // Three programs, since the MCP SDK and express-oauth2-jwt-bearer declare `req.auth` differently.
  let newest: string[]
  let older: string[]
  let mistaken: string[]

  beforeAll(async () => {
    const [newestProject, olderProject] = await Promise.all([
      typedProject('newest', {}),
      typedProject('older', {
        express: 'express4',
        '@types/express': '@types/express4',
        fastify: 'fastify4',
        koa: 'koa2',
      }),
    ])
    ;[newest, older, mistaken] = await Promise.all([
      typeErrors(newestProject, ['frameworks.ts', 'neighbours.ts']),
      typeErrors(olderProject, ['frameworks.ts']),
      typeErrors(newestProject, ['must-not-compile.ts', 'neighbours-mcp.ts']),
    ])
  }, 180_000)

  test('fits Express 5, Koa 3 and Fastify 5 beside express-oauth2-jwt-bearer, Express 4 and MCP', () => {
    expect(newest).toEqual([])
  })

  test('fits Express 4, Koa 2 and Fastify 4', () => {
    expect(older).toEqual([])
  })

  test("catches mistakes, and only those, beside the MCP SDK's own authentication", async () => {
    const lines = (await readFile(join(fixtures, 'typed/must-not-compile.ts'), 'utf8')).split('\n')
    const expected = lines.flatMap((line, index) => {
      const code = /^ *\/\/ expect (TS\d+)$/.exec(line)?.[1]
      return code === undefined ? [] : [`must-not-compile.ts:${index + 2} ${code}`]
    })
    expect(mistaken.map((error) => error.replace(/^(must-not-compile\S+ TS\d+): .*/, '$1'))).toEqual(expected)
  })
})

/**
 * A project that sees the installed package and, through links, this project's
 * packages; `instead` maps a name to the package that takes its place.
 */
async function typedProject(name: string, instead: Record<string, string>): Promise<string> {
  const project = join(temp, name)
  await cp(join(fixtures, 'typed'), project, { recursive: true })
  await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }')
  const installed = await packagesIn(join(app, 'node_modules'))
  const links = new Map(
    (await packagesIn(join(root, 'node_modules'))).map((path) => [path, join(root, 'node_modules', path)]),
  )
  // @types/koa was written for the version before the one that brings its own types, and uses @types/content-disposition.
  links.delete('content-disposition')
  for (const [path, other] of Object.entries(instead)) links.set(path, join(root, 'node_modules', other))
  for (const path of installed) links.set(path, join(app, 'node_modules', path))
  for (const [path, target] of links) {
    const link = join(project, 'node_modules', path)
    await mkdir(dirname(link), { recursive: true })
    await symlink(target, link)
  }
  return project
}

/** The packages right in a `node_modules` folder, `name` or `@scope/name`. */
async function packagesIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.'))
  const lists = names.map(async (name) =>
    name.startsWith('@') ? (await readdir(join(folder, name))).map((inner) => `${name}/${inner}`) : [name],
  )
  return (await Promise.all(lists)).flat()
}

/** What the compiler complains about, as `file:line code: message`. */
async function typeErrors(project: string, files: string[]): Promise<string[]> {
  const config = join(project, `tsconfig.${files[0]}.json`)
  await writeFile(config, JSON.stringify({ extends: './tsconfig.json', files }))
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const output = await run(process.execPath, [compiler, '--pretty', 'false', '-p', config], project).catch(
    (error: Error) => error.message,
  )
  const errors = [...output.matchAll(/^(\S+)\((\d+),\d+\): error (TS\d+: .*)$/gm)]
  if (errors.length === 0 && output !== '') throw new Error(output)
  return errors.map(([, path, line, message]) => `${path}:${line} ${message}`)
}
