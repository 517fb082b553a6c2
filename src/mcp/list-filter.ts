/**
 * Takes out of a list what the caller may not know of (G15), and the news of resources that would not be in it. Done on the
 * bytes: what stays is not printed anew, so that numbers of 64 bits and unknown members survive.
 * Readers differ, and so every reading is filtered: `Tools` like `tools`, both of two.
 */
import { isUtf8 } from 'node:buffer'
import { foldKey } from '../match/fold-key.ts'
import {
  type ByteRange,
  type JsonLimits,
  JsonReadError,
  JsonReader,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from './json-reader.ts'
import { nameProblem } from './targets.ts'

/** A list by the member of the result that holds it. */
export type ListName = 'tools' | 'prompts' | 'resources' | 'resourceTemplates'

/** What a caller sees of lists. */
export interface ListFilter {
  /**
   * The lists that are looked for. All of them in what a server sends, whatever was asked: it may be the answer to something
   * else.
   */
  readonly lists: ReadonlySet<ListName>
  /** Whether an entry stays, by its `name`, `uri` (resources) or `uriTemplate`. */
  readonly allows: (list: ListName, name: string) => boolean
  /** A filtered list is nobody else's: `cacheScope` becomes `private` where there is one, which is in the modern era. */
  readonly era: 'legacy' | 'modern'
}

/** What came of an answer. */
export type FilteredAnswer =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'changed'; readonly bytes: Uint8Array; readonly removed: number }
  /** Nothing of it may go on: all that it tells is that resources have changed which the caller may not know of. */
  | { readonly kind: 'dropped' }
  /** It cannot be read, so it must not go on: 502. */
  | { readonly kind: 'refused'; readonly detail: string }

const LISTS: ReadonlyMap<string, ListName> = new Map([
  ['tools/list', 'tools'],
  ['prompts/list', 'prompts'],
  ['resources/list', 'resources'],
  ['resources/templates/list', 'resourceTemplates'],
])

/** All there are. */
export const ALL_LISTS: ReadonlySet<ListName> = new Set(LISTS.values())

/** Names a resource as lists do, and nobody has asked for it: some servers tell everybody. */
export const RESOURCE_UPDATED = 'notifications/resources/updated'

/** The list that a method asks for, if any. */
export function listOf(method: string): ListName | undefined {
  return LISTS.get(method)
}

/** Schemas of tools are deep, and an upstream that was configured is trusted further than a caller. */
export const ANSWER_LIMITS: JsonLimits = { maxDepth: 512, maxNumberBytes: 4096 }

/**
 * Filters the lists in an answer: one JSON-RPC message, or a batch of them. Entries without a name that could be
 * asked for go too, and where resources are looked for so does what says that another one has changed.
 */
export function filterAnswer(
  bytes: Uint8Array,
  filter: ListFilter,
  limits: JsonLimits = ANSWER_LIMITS,
): FilteredAnswer {
  if (!isUtf8(bytes)) return { kind: 'refused', detail: 'it is not UTF-8' }
  try {
    return new AnswerFilter(bytes, filter, limits).run()
  } catch (error) {
    if (error instanceof JsonReadError) return { kind: 'refused', detail: error.message }
    throw error
  }
}

/** What an entry is called by. */
const NAMED: Readonly<Record<ListName, string>> = {
  tools: 'name',
  prompts: 'name',
  resources: 'uri',
  resourceTemplates: 'uriTemplate',
}
const COMMA = Buffer.from(',')
const PRIVATE = Buffer.from('"private"')
const PRIVATE_MEMBER = Buffer.from('"cacheScope":"private",')

/** Other bytes for a range. */
interface Edit extends ByteRange {
  readonly pieces: readonly Uint8Array[]
}

class AnswerFilter {
  readonly #reader: JsonReader
  readonly #filter: ListFilter
  /** By folded key. */
  readonly #lists: ReadonlyMap<string, ListName>
  /** In the order of the bytes. */
  readonly #edits: Edit[] = []
  #removed = 0

  constructor(bytes: Uint8Array, filter: ListFilter, limits: JsonLimits) {
    this.#reader = new JsonReader(bytes, limits)
    this.#filter = filter
    this.#lists = new Map([...filter.lists].map((list) => [foldKey(list), list]))
  }

  run(): FilteredAnswer {
    const stays = this.#reader.next() === OPEN_BRACKET ? this.#batch() : this.#message(1)
    this.#reader.end()
    if (!stays) return { kind: 'dropped' }
    if (this.#edits.length === 0) return { kind: 'unchanged' }
    return { kind: 'changed', bytes: applied(this.#reader.bytes, this.#edits), removed: this.#removed }
  }

  /** Whether anything of it stays. */
  #batch(): boolean {
    /** Where the first message begins that goes, as long as all do; and where the last one ends once one has stayed. */
    let first: number | undefined
    let behind: number | undefined
    this.#reader.array(1, () => {
      const from = this.#reader.at
      const edits = this.#edits.length
      const stays = this.#message(2)
      if (!stays) {
        this.#edits.length = edits
        this.#removed++
        if (behind === undefined) first ??= from
        else this.#edits.push({ start: behind, end: this.#reader.at, pieces: [] })
      } else if (behind === undefined && first !== undefined) {
        this.#edits.splice(edits, 0, { start: first, end: from, pieces: [] })
      }
      if (stays || behind !== undefined) behind = this.#reader.at
    })
    return behind !== undefined || first === undefined
  }

  /** Goes past a message; whether it stays. */
  #message(depth: number): boolean {
    let isUpdate = false
    const uris: string[] = []
    this.#object(depth, (key) => {
      const from = this.#reader.at
      if (key === 'result') this.#result(depth + 1)
      else if (key === 'params') this.#params(depth + 1, uris)
      else this.#reader.skipValue(depth + 1)
      if (key === 'method' && this.#reader.bytes[from] === QUOTE) {
        isUpdate ||= this.#reader.textOf(from, this.#reader.at) === RESOURCE_UPDATED
      }
    })
    if (!isUpdate || !this.#filter.lists.has('resources')) return true
    return uris.length > 0 && uris.every((uri) => this.#isAllowed('resources', uri))
  }

  /** Goes past the parameters of a message, each `uri` of which goes to `uris`; an empty one for what is no text. */
  #params(depth: number, uris: string[]): void {
    this.#object(depth, (key) => {
      const from = this.#reader.at
      const isText = this.#reader.next() === QUOTE
      this.#reader.skipValue(depth + 1)
      if (key === 'uri') uris.push(isText ? this.#reader.textOf(from, this.#reader.at) : '')
    })
  }

  #isAllowed(list: ListName, name: string): boolean {
    return nameProblem(name) === undefined && this.#filter.allows(list, name)
  }

  #result(depth: number): void {
    const start = this.#reader.at
    const scopes: ByteRange[] = []
    let lists = 0
    this.#object(depth, (key) => {
      const list = this.#lists.get(key)
      if (list !== undefined && this.#reader.next() === OPEN_BRACKET) {
        lists++
        this.#list(list, depth + 1)
        return
      }
      const from = this.#reader.at
      this.#reader.skipValue(depth + 1)
      if (key === 'cachescope') scopes.push({ start: from, end: this.#reader.at })
    })
    if (lists === 0 || this.#filter.era === 'legacy') return
    // There is a member, so the one that comes first has a comma behind it.
    if (scopes.length === 0) this.#edits.push({ start: start + 1, end: start + 1, pieces: [PRIVATE_MEMBER] })
    for (const scope of scopes) {
      if (this.#reader.textOf(scope.start, scope.end) === 'private') continue
      this.#edits.push({ ...scope, pieces: [PRIVATE] })
    }
    this.#edits.sort((one, other) => one.start - other.start)
  }

  #list(list: ListName, depth: number): void {
    const start = this.#reader.at
    const kept: ByteRange[] = []
    let count = 0
    this.#reader.array(depth, () => {
      const from = this.#reader.at
      count++
      if (this.#stays(list, depth + 1)) kept.push({ start: from, end: this.#reader.at })
    })
    if (kept.length === count) return
    this.#removed += count - kept.length
    const pieces = kept.flatMap((entry, index) => {
      const bytes = this.#reader.bytes.subarray(entry.start, entry.end)
      return index === 0 ? [bytes] : [COMMA, bytes]
    })
    this.#edits.push({ start: start + 1, end: this.#reader.at - 1, pieces })
  }

  /** Goes past an entry; whether it stays, which every name that a reader could find in it has to allow. */
  #stays(list: ListName, depth: number): boolean {
    const named = NAMED[list]
    let found = false
    let allowed = true
    this.#object(depth, (key, text) => {
      const from = this.#reader.at
      const isText = this.#reader.next() === QUOTE
      this.#reader.skipValue(depth + 1)
      if (key !== foldKey(named)) return
      const name = isText ? this.#reader.textOf(from, this.#reader.at) : ''
      found ||= text === named
      allowed &&= this.#isAllowed(list, name)
    })
    return found && allowed
  }

  /** Goes past a value, and through the members if it is an object: `visit` is told each key folded, and as it is. */
  #object(depth: number, visit: (key: string, text: string) => void): void {
    if (this.#reader.next() !== OPEN_BRACE) this.#reader.skipValue(depth)
    else {
      this.#reader.object(depth, (start, end) => {
        const text = this.#reader.textOf(start, end)
        visit(foldKey(text), text)
      })
    }
  }
}

function applied(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const pieces: Uint8Array[] = []
  let at = 0
  for (const edit of edits) {
    pieces.push(bytes.subarray(at, edit.start))
    // One by one: as arguments, those of a long list are more than the stack holds.
    for (const piece of edit.pieces) pieces.push(piece)
    at = edit.end
  }
  pieces.push(bytes.subarray(at))
  return Buffer.concat(pieces)
}
