/**
 * Puts other values into JSON, and takes members out, on the bytes: what is not named stays as it was sent, so that numbers of
 * 64 bits, unknown members and their order survive. Relies on `JsonReader` for where values begin and end.
 */
import { type JsonLimits, JsonReader, OPEN_BRACE } from './json-reader.ts'

/** One change. */
export interface JsonEdit {
  /** The keys that lead to the member, from the outermost object on. Objects that are not there are made. */
  readonly path: readonly string[]
  /** The new value, as JSON; `undefined` takes the member out, if it is there. */
  readonly json: string | Uint8Array | undefined
}

/** Deeper than what anybody sends, and than what the scan of a request lets pass. */
const LIMITS: JsonLimits = { maxDepth: 512, maxNumberBytes: 1024 * 1024 }

/**
 * The object in `bytes` with some members changed. A member that is there twice is changed twice.
 *
 * ```ts
 * spliceJson(bytes, [{ path: ['id'], json: '7' }, { path: ['params', '_meta', 'progressToken'], json: undefined }])
 * ```
 *
 * @throws JsonReadError for what is no JSON
 */
export function spliceJson(bytes: Uint8Array, edits: readonly JsonEdit[]): Uint8Array {
  if (edits.length === 0) return bytes
  const reader = new JsonReader(bytes, LIMITS)
  const out: Uint8Array[] = []
  reader.next()
  write(reader, treeOf(edits), 1, out)
  reader.end()
  return out.length === 1 && out[0] !== undefined ? out[0] : Buffer.concat(out)
}

/** The edits by their first keys. */
interface Node {
  /** `undefined` is a removal. */
  set?: { readonly json: Uint8Array | undefined }
  readonly children: Map<string, Node>
}

const COMMA = Buffer.from(',')
const OPEN = Buffer.from('{')
const CLOSE = Buffer.from('}')

function treeOf(edits: readonly JsonEdit[]): Node {
  const root: Node = { children: new Map() }
  for (const { path, json } of edits) {
    let node = root
    for (const key of path) {
      const child: Node = node.children.get(key) ?? { children: new Map() }
      node.children.set(key, child)
      node = child
    }
    node.set = { json: json === undefined ? undefined : Buffer.from(json) }
  }
  return root
}

/** Goes past the value that the reader stands at, and writes it with the edits of `node`. */
function write(reader: JsonReader, node: Node, depth: number, out: Uint8Array[]): void {
  const { at: from, bytes } = reader
  if (node.set?.json !== undefined || node.children.size === 0 || reader.next() !== OPEN_BRACE) {
    reader.skipValue(depth)
    // Nothing can be put into what is no object, so it makes room for one where there is something to put.
    const made = node.set?.json ?? madeOf(node)
    out.push(made ?? bytes.subarray(from, reader.at))
    return
  }
  const seen = new Set<string>()
  let members = 0
  out.push(OPEN)
  reader.object(depth, (keyStart, keyEnd) => {
    const key = reader.textOf(keyStart, keyEnd)
    const child = node.children.get(key)
    const valueStart = reader.at
    if (child === undefined) {
      reader.skipValue(depth + 1)
      member([bytes.subarray(keyStart, reader.at)])
      return
    }
    seen.add(key)
    if (child.set !== undefined && child.set.json === undefined) {
      reader.skipValue(depth + 1)
      return
    }
    const value: Uint8Array[] = []
    write(reader, child, depth + 1, value)
    member([bytes.subarray(keyStart, valueStart), ...value])
  })
  for (const [key, child] of node.children) {
    if (seen.has(key)) continue
    const made = child.set === undefined ? madeOf(child) : child.set.json
    if (made !== undefined) member([Buffer.from(`${JSON.stringify(key)}:`), made])
  }
  out.push(CLOSE)

  function member(pieces: readonly Uint8Array[]): void {
    if (members++ > 0) out.push(COMMA)
    // One by one: as arguments, those of some ten thousand members are more than the stack holds.
    for (const piece of pieces) out.push(piece)
  }
}

/** An object of what a node puts in; `undefined` where that is nothing. */
function madeOf({ children }: Node): Uint8Array | undefined {
  const members: string[] = []
  for (const [key, child] of children) {
    const json = child.set === undefined ? madeOf(child) : child.set.json
    if (json !== undefined) members.push(`${JSON.stringify(key)}:${Buffer.from(json).toString('utf8')}`)
  }
  return members.length === 0 ? undefined : Buffer.from(`{${members.join(',')}}`)
}
