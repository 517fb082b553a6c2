/** Checks virtual servers: their members, patterns and names, and which names would be there twice. */
import { z } from 'zod'
import { check, joinPath, strict, text } from '../../core/config.ts'
import type { ConfigProblem } from '../../core/errors.ts'
import { suggest } from '../../core/suggest.ts'
import { globProblem } from '../../match/glob.ts'
import { isToolName } from '../../mcp/targets.ts'
import { compileSelection, type Selection } from '../../mcp/virtual/selection.ts'
import type { VirtualMcpServer, VirtualSelection } from './config.ts'

const glob = z
  .string()
  .min(1, 'must not be empty')
  .superRefine((value, context) => {
    const message = globProblem(value)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })
const EXPECTED = 'expected "*" or a list of names and patterns'
const include = z.union([z.literal('*'), z.array(glob).min(1, 'must not be empty')], { error: EXPECTED })
const selectionSchema = strict({
  include: include.optional(),
  rename: z.record(text, text).optional(),
  prefix: text.optional(),
})
const schema = strict({
  id: text.optional(),
  label: text.max(100, 'at most 100 characters').optional(),
  description: text.max(1_000, 'at most 1000 characters').optional(),
  require: z.enum(['all', 'any']).optional(),
  signal: z.enum(['best', 'text']).optional(),
  bridge: z.custom(() => false, 'leave it out: a virtual server speaks every revision as it is').optional(),
  tools: z.record(z.string(), z.unknown()),
  prompts: z.record(z.string(), z.unknown()).optional(),
  resources: z.record(z.string(), z.unknown()).optional(),
})

/** Adds what is wrong with `virtualServers` to `problems`. `servers` are the names of the servers that there are. */
export function checkVirtualServers(
  virtualServers: unknown,
  servers: readonly string[],
  problems: ConfigProblem[],
): void {
  if (virtualServers === undefined) return
  if (!check(z.record(z.string(), z.unknown()), virtualServers, 'virtualServers', problems)) return
  for (const [name, value] of Object.entries(virtualServers as object)) {
    const at = joinPath('virtualServers', [name])
    if (!check(schema, value, at, problems)) continue
    const { tools, prompts = {}, resources = {} } = value as VirtualMcpServer
    if ([tools, prompts, resources].every((each) => Object.keys(each).length === 0)) {
      problems.push({
        path: `${at}.tools`,
        message: 'must not be empty: a virtual server has something of some server',
      })
    }
    checkPart(tools, `${at}.tools`, servers, true, problems)
    checkPart(prompts, `${at}.prompts`, servers, true, problems)
    checkPart(resources, `${at}.resources`, servers, false, problems)
  }
}

function checkPart(
  part: Readonly<Record<string, VirtualSelection>>,
  at: string,
  servers: readonly string[],
  renames: boolean,
  problems: ConfigProblem[],
): void {
  const known = new Map<string, string>()
  for (const [server, selection] of Object.entries(part)) {
    const path = joinPath(at, [server])
    if (!servers.includes(server)) {
      problems.push({ path, message: `no server named "${server}"${suggest(server, servers)}` })
      continue
    }
    const isObject = typeof selection === 'object' && selection !== null && !Array.isArray(selection)
    if (!check(isObject && renames ? selectionSchema : include, selection, path, problems)) continue
    if (!renames) continue
    const before = problems.length
    checkNames(toSelection(selection), path, problems)
    if (problems.length > before) continue
    for (const [name] of compileSelection(toSelection(selection)).explicit) {
      const other = known.get(name)
      if (other === undefined) known.set(name, server)
      else {
        const message = `"${name}" is there twice, of ${other} and of ${server}; give one another name (rename, prefix)`
        problems.push({ path, message })
      }
    }
  }
}

function checkNames(
  { rename = {}, prefix, include: chosen }: Selection,
  path: string,
  problems: ConfigProblem[],
): void {
  if (prefix !== undefined && !isToolName(prefix)) problems.push({ path: `${path}.prefix`, message: NAME })
  const names = new Map<string, string>()
  const front = prefix ?? ''
  for (const [original, name] of Object.entries(rename)) {
    const at = joinPath(path, ['rename', original])
    if (!isToolName(name)) problems.push({ path: at, message: `"${name}": ${NAME}` })
    const other = names.get(name)
    if (other !== undefined) problems.push({ path: at, message: `"${name}" is what "${other}" is called already` })
    names.set(name, original)
    const literal = name.startsWith(front) ? name.slice(front.length) : undefined
    const isListed = literal !== undefined && Array.isArray(chosen) && chosen.includes(literal)
    if (isListed && !Object.hasOwn(rename, literal)) {
      const what = front === '' ? 'a name among those in include' : `what "${literal}" in include is called`
      problems.push({ path: at, message: `"${name}" is ${what} already` })
    }
  }
}

const NAME = 'a name has 1 to 128 letters, digits, "_", "-" and "."'

/** A selection as it may be written, in its long form. */
export function toSelection(selection: VirtualSelection): Selection {
  if (selection === '*') return {}
  return Array.isArray(selection) ? { include: selection as readonly string[] } : (selection as Selection)
}
