/**
 * A tree of names, each under a parent, in a few flat arrays: a hash table of open addressing whose keys are a parent and a
 * text. With a `Map` for each parent, a lookup in a large tree follows a pointer for each step of each chain, and nearly all
 * of them miss the processor's cache; these arrays take about 50 bytes a name and are read in one place.
 *
 * Names come from the configuration and are only looked up by requests, so nobody can choose names that collide.
 */

/** See the top of the file. Nodes are numbers; 0 is the root. */
export interface NameTree {
  /** The node called `name` under `parent`, added where there is none. */
  add(parent: number, name: string): number
  /** The node under `parent` whose name is `text` from `start` to `end`; 0 where there is none. */
  find(parent: number, text: string, start: number, end: number): number
  /** How many nodes there are; they are numbered from 1 on. */
  readonly size: number
}

const FIRST_SLOTS = 16
const FIRST_CHARACTERS = 256

/** An empty tree. */
export function createNameTree(): NameTree {
  /** For each slot the hash of a name and its node, 0 for an empty one. A power of two, at most three quarters full. */
  let slots = new Int32Array(2 * FIRST_SLOTS)
  /** For each node its parent, and where its name ends; it begins where that of the node before ends. */
  let nodes = new Int32Array(FIRST_SLOTS * 2)
  /** The names as UTF-16, one after the other. */
  let names = new Uint16Array(FIRST_CHARACTERS)
  let last = 0

  function find(parent: number, text: string, start: number, end: number): number {
    const hash = hashOf(parent, text, start, end)
    const mask = slots.length - 2
    for (let slot = (hash << 1) & mask; ; slot = (slot + 2) & mask) {
      const node = slots[slot + 1] as number
      if (node === 0 || (slots[slot] === hash && isNamed(node, parent, text, start, end))) return node
    }
  }

  function isNamed(node: number, parent: number, text: string, start: number, end: number): boolean {
    let from = nodes[2 * node - 1] as number
    if (nodes[2 * node] !== parent || (nodes[2 * node + 1] as number) - from !== end - start) return false
    for (let index = start; index < end; index++) {
      if (text.charCodeAt(index) !== names[from++]) return false
    }
    return true
  }

  function append(parent: number, name: string): void {
    last++
    if (2 * last + 1 >= nodes.length) nodes = grown(nodes, new Int32Array(2 * nodes.length))
    const from = nodes[2 * last - 1] as number
    const end = from + name.length
    while (end > names.length) names = grown(names, new Uint16Array(2 * names.length))
    for (let index = 0; index < name.length; index++) names[from + index] = name.charCodeAt(index)
    nodes[2 * last] = parent
    nodes[2 * last + 1] = end
  }

  function put(hash: number, node: number): void {
    const mask = slots.length - 2
    let slot = (hash << 1) & mask
    while (slots[slot + 1] !== 0) slot = (slot + 2) & mask
    slots[slot] = hash
    slots[slot + 1] = node
  }

  /** Twice the slots. Their hashes are whole, so that no name has to be read again. */
  function spread(): void {
    const before = slots
    slots = new Int32Array(2 * before.length)
    for (let slot = 0; slot < before.length; slot += 2) {
      const node = before[slot + 1] as number
      if (node !== 0) put(before[slot] as number, node)
    }
  }

  return {
    find,
    get size() {
      return last
    },
    add(parent, name) {
      const known = find(parent, name, 0, name.length)
      if (known !== 0) return known
      append(parent, name)
      if (8 * last > 3 * slots.length) spread()
      put(hashOf(parent, name, 0, name.length), last)
      return last
    },
  }
}

/** FNV-1a, begun with the parent, over UTF-16 code units. */
function hashOf(parent: number, text: string, start: number, end: number): number {
  let hash = Math.imul(parent ^ 0x811c9dc5, 0x01000193)
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  // Its low bits, which choose the slot, are the poor ones.
  return hash ^ (hash >>> 15)
}

function grown<Numbers extends Int32Array | Uint16Array>(before: Numbers, after: Numbers): Numbers {
  after.set(before)
  return after
}
