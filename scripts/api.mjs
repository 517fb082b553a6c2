/**
 * The API reports in `etc/`, one per entry point, made from the declarations in
 * `dist/`. `npm run api` rewrites them; with `--check` a stale one is an error.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor'
import ts from 'typescript'
import { entries, root } from './entries.mjs'

const check = process.argv.includes('--check')
const base = ExtractorConfig.loadFile(join(root, 'api-extractor.json'))
const mainExports = exportsOf(join(root, entries[0].types))
const temp = mkdtempSync(join(tmpdir(), 'sallyport-api-'))
const problems = []

try {
  for (const entry of entries) report(entry)
  removeStrays()
} finally {
  rmSync(temp, { recursive: true, force: true })
}
for (const problem of problems) console.error(problem)
process.exitCode = problems.length > 0 ? 1 : 0

/** Makes the report of one entry point, or compares it. */
function report({ specifier, types, report }) {
  const config = ExtractorConfig.prepare({
    configObject: {
      ...base,
      projectFolder: root,
      mainEntryPointFilePath: join(root, types),
      apiReport: { ...base.apiReport, reportFileName: report, reportTempFolder: temp },
    },
    configObjectFullPath: join(root, 'api-extractor.json'),
    packageJsonFullPath: join(root, 'package.json'),
  })
  const result = Extractor.invoke(config, {
    localBuild: !check,
    messageCallback(message) {
      message.handled = true
      if (isProblem(message)) problems.push(`${specifier}: ${textOf(message)}`)
    },
  })
  if (!result.apiReportChanged) return
  if (!check) return console.log(`etc/${report} written`)
  const state = existsSync(join(root, 'etc', report)) ? 'stale' : 'missing'
  problems.push(`etc/${report} is ${state}; npm run api writes it\n${difference(report)}`)
}

function isProblem({ messageId, logLevel, category, text, sourceFileColumn }) {
  if (category === 'console') return false
  // Every export needs a comment; its members, which are indented, may explain themselves.
  if (messageId === 'ae-undocumented') return sourceFileColumn === 1
  // An adapter may speak of what 'sallyport' exports.
  if (messageId === 'ae-forgotten-export') return !mainExports.has(/The symbol "(\w+)"/.exec(text)?.[1])
  return logLevel === 'error' || logLevel === 'warning'
}

function textOf({ messageId, text, sourceFilePath, sourceFileLine }) {
  const place = sourceFilePath === undefined ? '' : `${sourceFilePath.replace(root, '')}:${sourceFileLine} `
  return `${place}${text} (${messageId})`
}

/** The names that a declaration file exports. */
function exportsOf(path) {
  const program = ts.createProgram([path], { module: ts.ModuleKind.NodeNext, skipLibCheck: true })
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(path)
  const module = source && checker.getSymbolAtLocation(source)
  if (module === undefined) throw new Error(`${path} is not there; run: npm run build`)
  return new Set(checker.getExportsOfModule(module).map((symbol) => symbol.name))
}

/** What changed, as a diff of at most 60 lines. */
function difference(report) {
  const args = ['diff', '--no-index', '--no-color', '-U1', join(root, 'etc', report), join(temp, report)]
  const lines = (spawnSync('git', args, { encoding: 'utf8' }).stdout ?? '').split('\n').slice(4)
  return (lines.length > 60 ? [...lines.slice(0, 60), '…'] : lines).join('\n')
}

/** Reports of entry points that are gone. */
function removeStrays() {
  const known = new Set(entries.map(({ report }) => report))
  for (const name of readdirSync(join(root, 'etc'))) {
    if (!name.endsWith('.api.md') || known.has(name)) continue
    if (check) problems.push(`etc/${name} belongs to no entry point; npm run api deletes it`)
    else rmSync(join(root, 'etc', name))
  }
}
