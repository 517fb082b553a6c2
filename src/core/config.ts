/** Reads configuration with zod and says what is wrong in the user's own terms. zod stays inside: no published type mentions it. */
import { z } from 'zod'
import type { ConfigProblem } from './errors.ts'
import { suggest } from './suggest.ts'

/** An object with these keys and no others; an unknown key is answered with the nearest known one. */
export function strict<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return undefined
      const keys = (issue as z.core.$ZodIssueUnrecognizedKeys).keys
      return keys.map((key) => `unknown key "${key}"${suggest(key, Object.keys(shape))}`).join('; ')
    },
  })
}

/** A text that is not empty. */
export const text = z.string().min(1, 'must not be empty')

/** A secret or a reference to one. */
export const secret = z.union([text, strict({ secret: text })], {
  error: 'expected a text or { secret: "env:NAME" }',
})

/** A function; what it does is not looked at. */
export const callable = z.custom<(...args: never[]) => unknown>((value) => typeof value === 'function', {
  error: 'expected a function',
})

/** Checks `value`; problems are added to `problems` under `path`. Whether there were none. */
export function check(schema: z.ZodType, value: unknown, path: string, problems: ConfigProblem[]): boolean {
  const result = schema.safeParse(value, { reportInput: true })
  for (const issue of result.error?.issues ?? []) {
    problems.push({ path: joinPath(path, issue.path), message: messageOf(issue) })
  }
  return result.success
}

/** `integrations` and `corp` give `integrations.corp`; a key that is no identifier is put in brackets. */
export function joinPath(base: string, steps: readonly PropertyKey[]): string {
  return steps.reduce<string>((path, step) => {
    if (typeof step === 'number') return `${path}[${step}]`
    if (!/^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(String(step))) return `${path}[${JSON.stringify(String(step))}]`
    return path === '' ? String(step) : `${path}.${String(step)}`
  }, base)
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') {
    return issue.input === undefined
      ? `required, a value of type ${issue.expected}`
      : `expected ${issue.expected}, got ${typeName(issue.input)}`
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map((value) => JSON.stringify(value)).join(', ')
    if (issue.values.length === 1) return `expected ${values}`
    const near = typeof issue.input === 'string' ? suggest(issue.input, issue.values.map(String)) : ''
    return `expected one of ${values}${near}`
  }
  return issue.message
}

function typeName(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value
}
