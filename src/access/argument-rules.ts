/**
 * Accepted values of a tool's arguments (G15). Unlike claims, arguments are written by the caller: so all values of a list
 * must be accepted, a key means one place only, and a second spelling of its name is refused.
 */
import { type ClaimValue, textOf } from '../jwt/claim-rules.ts'
import { foldKey, isPlainKey } from '../match/fold-key.ts'
import { compilePlaceGlobs } from './place-globs.ts'

/** The key of the first rule that a call's arguments do not meet, or `undefined` when all are met. */
export type ArgumentJudge = (given: unknown) => string | undefined

/** A step of a key: dots and backslashes of its own have a backslash in front. */
const STEP = String.raw`(?:[^.\\]|\\[.\\])+`
const STEPS = new RegExp(STEP, 'g')
const KEY = new RegExp(String.raw`^${STEP}(?:\.${STEP})*$`)

/** What is wrong with the key of a rule, or `undefined` when nothing is. */
export function argumentKeyProblem(key: string): string | undefined {
  // JSON readers do not agree on what it means.
  if (key.split('.').includes('__proto__')) return 'is not an argument'
  if (KEY.test(key)) return undefined
  return String.raw`is not the name of an argument, nor a path such as "filter.dataset"; a dot or backslash in a name is written "\." or "\\"`
}

/** Compiles rules whose keys have passed {@link argumentKeyProblem}, and whose values `claimValueProblem`. */
export function compileArgumentRules(rules: Readonly<Record<string, readonly ClaimValue[]>>): ArgumentJudge {
  const compiled = Object.entries(rules).map(([key, accepted]) => ({
    key,
    path: (key.match(STEPS) ?? []).map((step) => {
      const name = step.replace(/\\([.\\])/g, '$1')
      return { name, folded: foldKey(visibleOf(name)) }
    }),
    accepts: compilePlaceGlobs(accepted.map((value) => textOf(value) ?? '')),
  }))
  return (given) =>
    compiled.find(({ path, accepts }) => {
      const value = at(given, path)
      const values: unknown[] = Array.isArray(value) ? value : [value]
      const met = values.every((each) => {
        const text = textOf(each)
        return text !== undefined && accepts(text)
      })
      // To many tools an empty list of filters is none, and lets everything through.
      return !met || values.length === 0
    })?.key
}

interface Step {
  readonly name: string
  readonly folded: string
}

/** The value at the end of `path`; `undefined` where there is none, or where another reader could find another one. */
function at(given: unknown, path: readonly Step[]): unknown {
  let value = given
  for (const { name, folded } of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) {
      return undefined
    }
    if (Object.keys(value).some((key) => key !== name && folds(key, folded))) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

const UNSEEN = /\0.*|[\p{C}\p{Default_Ignorable_Code_Point}\ufffd]/gsu
/** What putting characters together leaves of a text at least: three marks on a letter become one character (Unicode §3.11). */
const SHRINKS = 8

/** Whether `key` folds to `folded`. The caller has written it, and to fold a long one takes time by the square of its length. */
function folds(key: string, folded: string): boolean {
  if (isPlainKey(key)) return key.length === folded.length && key.toLowerCase() === folded
  const visible = visibleOf(key)
  return visible.length <= SHRINKS * folded.length && foldKey(visible) === folded
}

/** Without what folding leaves out, of which there may be any amount. */
function visibleOf(key: string): string {
  return key.replace(UNSEEN, '').trim()
}
