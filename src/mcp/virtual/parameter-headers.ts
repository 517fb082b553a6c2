/**
 * Parameters of tools that a modern server wants repeated in header fields (2026-07-28, `x-mcp-header`). The annotation is read
 * from the tool's schema; a tool that has one in a place where it may not be is not offered to anybody.
 */
import { decodeHeaderValue, encodeHeaderValue } from '../header-values.ts'
import { isJsonObject, type JsonObject } from '../messages.ts'

/** A parameter, by the keys that lead to it in `arguments`, and its field. */
export interface ParameterHeader {
  readonly path: readonly string[]
  readonly field: string
}

const ANNOTATION = 'x-mcp-header'
/** RFC 9110 §5.1. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/
const TYPES: ReadonlySet<unknown> = new Set(['string', 'integer', 'boolean'])
const MAX_DEPTH = 64
const MAX_FIELDS = 64

/** The fields of a tool; `undefined` where the annotations are not as they must be. */
export function parameterHeaders(inputSchema: unknown): readonly ParameterHeader[] | undefined {
  const found: ParameterHeader[] = []
  const fields = new Set<string>()
  return visit(inputSchema, [], true, 0) && found.length <= MAX_FIELDS ? found : undefined

  function visit(node: unknown, path: readonly string[], reachable: boolean, depth: number): boolean {
    if (depth > MAX_DEPTH) return false
    if (Array.isArray(node)) return node.every((each) => visit(each, path, false, depth + 1))
    if (!isJsonObject(node)) return true
    if (Object.hasOwn(node, ANNOTATION)) {
      const name = node[ANNOTATION]
      if (!reachable || path.length === 0 || typeof name !== 'string' || !TOKEN.test(name)) return false
      const field = name.toLowerCase()
      if (!TYPES.has(node.type) || fields.has(field)) return false
      fields.add(field)
      found.push({ path, field: `mcp-param-${field}` })
    }
    return Object.entries(node).every(([key, child]) => {
      if (key !== 'properties' || !isJsonObject(child))
        return NOT_SCHEMAS.has(key) || visit(child, path, false, depth + 1)
      return Object.entries(child).every(([name, schema]) => visit(schema, [...path, name], reachable, depth + 1))
    })
  }
}

/** Values, not schemas: what looks like an annotation in there is none. */
const NOT_SCHEMAS: ReadonlySet<string> = new Set([
  ANNOTATION,
  'default',
  'const',
  'enum',
  'examples',
  'required',
  'type',
])

/** The fields of one call. What is absent, `null`, or no number that can be told exactly is left out. */
export function parameterFields(headers: readonly ParameterHeader[], args: unknown): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const { path, field } of headers) {
    const text = textOf(valueAt(args, path))
    const value = text === undefined ? undefined : encodeHeaderValue(text)
    if (value !== undefined) fields[field] = value
  }
  return fields
}

/**
 * The first of the fields of a call that does not say what the arguments say, is missing though they say something, or has
 * characters that may not be there (2026-07-28, Custom Headers from Tool Parameters).
 *
 * @param brought - the value of a field as it came, by its name
 */
export function mistakenField(
  headers: readonly ParameterHeader[],
  args: unknown,
  brought: (field: string) => unknown,
): string | undefined {
  const mistaken = headers.find(({ path, field: name }) => {
    const field = brought(name)
    const value = valueAt(args, path)
    const text = textOf(value)
    if (field === undefined) return text !== undefined && encodeHeaderValue(text) !== undefined
    return typeof field !== 'string' || !says(decodeHeaderValue(field), value, text)
  })
  return mistaken?.field
}

/** Integers are compared as numbers: `42.0` is 42. */
function says(field: string | undefined, value: unknown, text: string | undefined): boolean {
  if (field === undefined || text === undefined) return false
  return field === text || (typeof value === 'number' && /^-?\d+\.0+$/.test(field) && Number(field) === value)
}

function valueAt(root: unknown, path: readonly string[]): unknown {
  let node = root
  for (const key of path) {
    if (!isJsonObject(node) || !Object.hasOwn(node, key)) return undefined
    node = (node as JsonObject)[key]
  }
  return node
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return String(value)
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : undefined
}
