/** The tree of names against one made of maps. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createNameTree, type NameTree } from '../../src/match/name-tree.ts'

const find = (tree: NameTree, parent: number, name: string) => tree.find(parent, name, 0, name.length)

describe('A13 the tree of names', () => {
  it('numbers nodes from 1 on, and a name that is there keeps its node', () => {
    const tree = createNameTree()
    expect([tree.add(0, 'a'), tree.add(0, 'b'), tree.add(1, 'a'), tree.add(0, 'a')]).toEqual([1, 2, 3, 1])
    expect(tree.size).toBe(3)
  })

  it('finds a piece of a longer text, and nothing that only begins or ends like a name', () => {
    const tree = createNameTree()
    const node = tree.add(0, 'orders')
    expect(tree.find(0, '/orders/42', 1, 7)).toBe(node)
    for (const [start, end] of [
      [0, 7],
      [1, 8],
      [1, 6],
      [2, 7],
      [3, 3],
    ] as const) {
      expect(tree.find(0, '/orders/42', start, end)).toBe(0)
    }
    expect(find(tree, node, 'orders')).toBe(0)
  })

  it('tells names apart that differ in one character beyond ASCII, and by parent', () => {
    const tree = createNameTree()
    const names = ['e', '\u00e9', '\u0165', '\u{1f600}', '\ud83d', '\ude00', '', 'e\0']
    const nodes = names.map((name) => tree.add(0, name))
    const under = names.map((name) => tree.add(1, name))
    expect(new Set([...nodes, ...under]).size).toBe(2 * names.length)
    expect(names.map((name) => find(tree, 0, name))).toEqual(nodes)
    expect(names.map((name) => find(tree, 1, name))).toEqual(under)
  })

  it('is what a map for each parent is', () => {
    const name = fc.oneof(fc.constantFrom('a', 'b', 'ab', 'ba', ''), fc.string({ unit: 'binary', maxLength: 40 }))
    const step = fc.record({ parent: fc.nat(30), name })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), fc.array(step), (added, asked) => {
        const tree = createNameTree()
        const model = new Map<string, number>()
        for (const { parent, name } of added) {
          const key = `${parent} ${name}`
          if (!model.has(key)) model.set(key, model.size + 1)
          expect(tree.add(parent, name)).toBe(model.get(key))
        }
        for (const { parent, name } of [...added, ...asked]) {
          expect(find(tree, parent, name)).toBe(model.get(`${parent} ${name}`) ?? 0)
        }
      }),
    )
  })

  it('keeps names of one hash apart: among 300,000 there are some', () => {
    const tree = createNameTree()
    const names = Array.from({ length: 300_000 }, (_, index) => `service-${index.toString(36)}`)
    for (const [index, name] of names.entries()) if (tree.add(0, name) !== index + 1) throw new Error(name)
    expect(names.every((name, index) => find(tree, 0, name) === index + 1)).toBe(true)
    expect(names.some((name) => find(tree, 0, `${name}.`) !== 0)).toBe(false)
  })
})
