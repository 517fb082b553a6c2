/** Reads configuration with zod and says what is wrong in the user's own terms. zod stays inside: no published type mentions it. */
import { z } from 'zod'
import type { ConfigProblem } from './errors.ts'
import { isPlain } from './plain.ts'
import { suggest } from './suggest.ts'

/** An object with these keys and no others; an unknown key is answered with the nearest known one. */
export function strict<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return plain(
    z.strictObject(shape, {
      error: (issue) => {
        if (issue.code !== 'unrecognized_keys') return undefined
        const keys = (issue as z.core.$ZodIssueUnrecognizedKeys).keys
        return keys.map((key) => `unknown key "${key}"${suggest(key, Object.keys(shape))}`).join('; ')
      },
    }),
  )
}

/** An object with any keys. */
export function recordOf(values: z.ZodType) {
  return plain(z.record(z.string(), values))
}

/** Refuses what inherits: zod reads inherited keys of an object, and of a record does not; copies have none of them. */
function plain<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess((value, context) => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && !isPlain(value)) {
      context.addIssue({ code: 'custom', message: INHERITS })
    }
    return value
  }, schema)
}

const INHERITS = 'expected a plain object: what an instance of a class, or of Object.create(), inherits would not count'

/** A text that is not empty. */
export const text = z.string().min(1, 'must not be empty')

/** What is meant as a reference: as a secret it would be one that everybody knows. */
const REFERENCE = /^(?:env:\w+|file:\/.*)$/
const plainSecret = text.superRefine((value, context) => {
  if (!REFERENCE.test(value)) return
  context.addIssue({ code: 'custom', message: `a reference is written { secret: ${JSON.stringify(value)} }` })
})

/** A secret or a reference to one. */
export const secret = z.union([plainSecret, strict({ secret: text })], {
  // Of a variable of the environment that is not set.
  error: ({ input }) => `expected a text or { secret: "env:NAME" }${input === undefined ? ', got undefined' : ''}`,
})

/** A function; what it does is not looked at. */
export const callable = z.custom<(...args: never[]) => unknown>((value) => typeof value === 'function', {
  error: 'expected a function',
})

/** A list or a single value. Not a union, whose problems would not name the element. */
export function oneOrMore(schema: z.ZodType) {
  const list = z.array(schema).min(1, 'must not be empty')
  return z.any().superRefine((value, context) => tell(Array.isArray(value) ? list : schema, value, context))
}

/** Said to be missing in words of its own: `what` it is, where to get one. */
export function required(schema: z.ZodType, what: string) {
  return z.any().superRefine((value, context) => {
    if (value === undefined) context.addIssue({ code: 'custom', message: `required: ${what}` })
    else tell(schema, value, context)
  })
}

/** Adds what a schema says of `value` to what is said already. */
function tell(schema: z.ZodType, value: unknown, context: { readonly issues: z.core.$ZodRawIssue[] }): void {
  const { error } = schema.safeParse(value, { reportInput: true })
  for (const issue of error?.issues ?? []) context.issues.push(issue as z.core.$ZodRawIssue)
}

/** Checks `value`; problems are added to `problems` under `path`. Whether there were none. */
export function check(schema: z.ZodType, value: unknown, path: string, problems: ConfigProblem[]): boolean {
  const result = schema.safeParse(value, { reportInput: true })
  for (const issue of result.error?.issues ?? []) {
    problems.push({ path: joinPath(path, issue.path), message: messageOf(issue) })
  }
  return result.success
}

/**
 * Checks an object whose `type` says which of `schemas` it must follow. Its type where there were no problems.
 *
 * @param absent - what is said where there is nothing at all
 */
export function checkVariant<Type extends string>(
  schemas: Readonly<Record<Type, z.ZodType>>,
  value: unknown,
  path: string,
  absent: string,
  problems: ConfigProblem[],
): Type | undefined {
  const types = Object.keys(schemas)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const meant = types.some((each) => each === value)
      ? `an object such as { type: ${JSON.stringify(value)} }`
      : `{ type: ${types.map((each) => JSON.stringify(each)).join(' | ')}, … }`
    const message = `expected ${meant}, got ${typeName(value)}`
    problems.push({ path, message: value === undefined ? absent : message })
    return undefined
  }
  const { type } = value as { type?: unknown }
  if (typeof type !== 'string' || !Object.hasOwn(schemas, type)) {
    const near = typeof type === 'string' ? suggest(type, types) : ''
    const known = types.map((each) => JSON.stringify(each)).join(', ')
    problems.push({ path: joinPath(path, ['type']), message: `expected one of ${known}${near}` })
    return undefined
  }
  return check(schemas[type as Type], value, path, problems) ? (type as Type) : undefined
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
    // What zod calls a record is an object to whoever writes one, and of a key that may hold anything it says nothing useful.
    const expected = issue.expected === 'record' ? 'object' : issue.expected
    if (issue.input !== undefined) return `expected ${expected}, got ${typeName(issue.input)}`
    return issue.expected === 'nonoptional' ? 'required' : `required, a value of type ${expected}`
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map((value) => JSON.stringify(value)).join(', ')
    if (issue.values.length === 1) return `expected ${values}`
    const near = typeof issue.input === 'string' ? suggest(issue.input, issue.values.map(String)) : ''
    return `expected one of ${values}${near}`
  }
  return issue.message
}

/** What a value is, where its type alone would not tell it from what was expected. */
function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  // NaN and the infinities are numbers too.
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return typeof value === 'object' ? objectName(value) : typeof value
}

function objectName(value: object): string {
  const kind = Object.prototype.toString.call(value).slice('[object '.length, -1)
  if (kind !== 'Object') return `${/^[AEIO]/.test(kind) ? 'an' : 'a'} ${kind}`
  // Of another realm `Object` is another function of that name.
  const { name } = (Object.getPrototypeOf(value) as object | null)?.constructor ?? Object
  return name === 'Object' || name === '' ? 'object' : `an instance of ${name}`
}
