/** Configurations that are wrong in one place: each key of a sound one, with values that people and YAML put there by mistake. */
import { isDeepStrictEqual } from 'node:util'

const WRONG: readonly unknown[] = [
  null,
  undefined,
  7,
  'x',
  '',
  true,
  [],
  [null],
  [7],
  {},
  { a: null },
  { type: 'x' },
  () => {},
]

/** `base` with one value in the place of another, and where: every place with every value. */
export function* mutationsOf<Config extends object>(base: Config): Generator<{ config: Config; at: string }> {
  for (const path of pathsOf(base)) {
    for (const value of WRONG) {
      const config = copyOf(base)
      const parent = path.slice(0, -1).reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], config)
      const last = path.at(-1) as string
      if (isDeepStrictEqual((parent as Record<string, unknown>)[last], value)) continue
      ;(parent as Record<string, unknown>)[last] = value
      yield { config, at: `${path.join('.')} = ${typeof value === 'function' ? '() => {}' : JSON.stringify(value)}` }
    }
  }
}

/** Plain objects and lists; what has methods is somebody's own. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (Array.isArray(value)) return true
  return typeof value === 'object' && value !== null && Object.values(value).every((each) => typeof each !== 'function')
}

function* pathsOf(node: object, path: readonly string[] = []): Generator<readonly string[]> {
  for (const [key, child] of Object.entries(node)) {
    yield [...path, key]
    if (isPlain(child)) yield* pathsOf(child, [...path, key])
  }
}

function copyOf<Node>(node: Node): Node {
  if (Array.isArray(node)) return node.map(copyOf) as Node
  if (!isPlain(node)) return node
  return Object.fromEntries(Object.entries(node).map(([key, child]) => [key, copyOf(child)])) as Node
}
