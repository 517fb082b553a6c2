/**
 * Import rules for `src/` and `adapters/`; `npm run check` enforces them.
 * The order of the rooms is the design: a folder may import from those before
 * it in the list, never from those after it (docs/architecture.md).
 */
const { peerDependencies = {} } = require('./package.json')

const rooms = [
  'core',
  'http',
  'net',
  'match',
  'store',
  'stores',
  'testing',
  'pages',
  'oauth',
  'basic',
  'jwt',
  'identity',
  'access',
  'login',
  'guard',
  'broker',
  'mcp',
  'portal',
  'gateway',
]

const anyOf = (names) => `(${names.map((name) => name.replaceAll(/[.+]/g, '\\$&')).join('|')})`
const folder = (...names) => `^src/${anyOf(names)}/`
const packages = (...names) => `(^|/)node_modules/(@types/)?${anyOf(names)}/`

/** The rooms that need a database driver, or are for tests. */
const drivers = folder('stores', 'testing')
const optional = Object.keys(peerDependencies)

const rules = [
  ...rooms.slice(0, -1).map((room, index) => ({
    name: `room-${room}`,
    comment: `src/${room} comes before these rooms; move the file to a later room, or what it needs to an earlier one`,
    from: { path: folder(room) },
    to: { path: folder(...rooms.slice(index + 1)) },
  })),
  {
    name: 'unknown-room',
    comment: 'every folder of src/ has its place in the list in .dependency-cruiser.cjs',
    from: {},
    to: { path: '^src/[^/]+/', pathNot: folder(...rooms) },
  },
  {
    name: 'entry-on-top',
    comment: 'no room imports an entry point such as src/index.ts',
    from: { path: '^src/[^/]+/' },
    to: { path: '^src/[^/]+$' },
  },
  {
    name: 'index-without-gateway',
    comment: "import 'sallyport' loads nothing of the MCP gateway",
    from: { path: '^src/index\\.ts$' },
    to: { path: folder('broker', 'mcp', 'portal', 'gateway'), reachable: true },
  },
  {
    name: 'index-without-drivers',
    comment: "import 'sallyport' loads no database driver and no optional package",
    from: { path: '^src/index\\.ts$' },
    to: {
      path: [drivers, '^(node:)?sqlite$', ...(optional.length > 0 ? [packages(...optional)] : [])],
      reachable: true,
    },
  },
  {
    name: 'src-without-adapters',
    comment: 'the core knows no framework',
    from: { path: '^src/' },
    to: { path: '^adapters/' },
  },
  {
    name: 'thin-adapters',
    comment: 'adapters import from src/http and src/core only, so that they stay thin',
    from: { path: '^adapters/' },
    to: { path: '^(src|adapters)/', pathNot: folder('http', 'core') },
  },
  {
    name: 'framework-types-only',
    comment: 'an adapter gets its framework from the application; it imports types only',
    from: { path: '^adapters/' },
    to: { path: '(^|/)node_modules/', dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'own-source-only',
    comment: 'what is published imports nothing from tests, benchmarks, the demo or scripts',
    from: { path: '^(src|adapters)/' },
    to: { dependencyTypes: ['local'], pathNot: '^(src|adapters)/' },
  },
  {
    name: 'declared-packages',
    comment: 'add the package to dependencies, or to peerDependencies as an optional one',
    from: { path: '^(src|adapters)/' },
    to: {
      dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'npm-bundled'],
      ...(optional.length > 0 ? { pathNot: packages(...optional) } : {}),
    },
  },
  {
    name: 'resolvable',
    comment: 'the imported file or package is not there (a node: module may be newer than this Node)',
    from: {},
    to: { couldNotResolve: true, pathNot: '^node:' },
  },
  {
    name: 'no-cycle',
    comment: 'files that import one another in a circle cannot be understood one at a time',
    from: {},
    to: { circular: true },
  },
]

module.exports = {
  forbidden: rules.map((rule) => ({ severity: 'error', ...rule })),
  options: {
    doNotFollow: { path: 'node_modules' },
    // Types count: a room that only borrows a type still depends on it.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
}
