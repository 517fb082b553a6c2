/**
 * Which tools (prompts, resources) of a member a virtual server has, and what they are called there. Pure, and the same both ways:
 * a list is named with it, and a call finds its way back.
 */
import { compilePlaceGlobs } from '../../access/place-globs.ts'
import { compileGlob } from '../../match/glob.ts'

/** Chosen things of one member, as configured. */
export interface Selection {
  /** Names, or patterns with `*`; everything by default. */
  readonly include?: '*' | readonly string[]
  /** Other names for some: from the member's to ours. What is named here is included, and gets no prefix. */
  readonly rename?: Readonly<Record<string, string>>
  /** Put in front of every other name. */
  readonly prefix?: string
}

/** A compiled {@link Selection}. */
export interface NameMap {
  /** What a thing of the member is called; `undefined` where it is not chosen. `explicit`: the configuration names it, without a star. */
  expose(original: string): { readonly name: string; readonly explicit: boolean } | undefined
  /** The thing of the member that a name may stand for, whether or not the member has it. */
  originalOf(name: string): { readonly original: string; readonly explicit: boolean } | undefined
  /** The names that can be known without asking the member, with what they stand for there. */
  readonly explicit: ReadonlyMap<string, string>
}

/**
 * Compiles what has been checked.
 *
 * @param of - `places` are URIs: what a star stands for does not climb out of the text before it, as with grants
 */
export function compileSelection(
  { include = '*', rename = {}, prefix = '' }: Selection,
  of: 'names' | 'places' = 'names',
): NameMap {
  const patterns = include === '*' ? ['*'] : include
  const literals = new Set(patterns.filter((pattern) => !pattern.includes('*')))
  const globs = patterns.filter((pattern) => pattern.includes('*'))
  const compiled = of === 'places' ? [compilePlaceGlobs(globs)] : globs.map(compileGlob)
  const renamed = new Map(Object.entries(rename))
  const explicit = new Map<string, string>()
  for (const literal of literals) if (!renamed.has(literal)) explicit.set(prefix + literal, literal)
  for (const [original, name] of renamed) explicit.set(name, original)
  const isIncluded = (original: string) => literals.has(original) || compiled.some((fits) => fits(original))

  return {
    explicit,
    expose(original) {
      const other = renamed.get(original)
      if (other !== undefined) return { name: other, explicit: true }
      if (!isIncluded(original)) return undefined
      return { name: prefix + original, explicit: literals.has(original) }
    },
    originalOf(name) {
      const known = explicit.get(name)
      if (known !== undefined) return { original: known, explicit: true }
      if (!name.startsWith(prefix)) return undefined
      const original = name.slice(prefix.length)
      // What has another name does not answer to its own.
      if (original === '' || renamed.has(original) || !isIncluded(original)) return undefined
      return { original, explicit: false }
    },
  }
}
