/** Plain data. Rules are read from it, and one that an object inherits, or that says something else when it is read again, would be lost. */

/** Whether an object inherits nothing but what all do; one of another realm has the `Object.prototype` there. */
export function isPlain(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value)
  if (prototype === null || prototype === Object.prototype) return true
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf')
}

/**
 * Copies lists and plain objects, of any depth, so that what is checked is what is used: each getter is read once. Whatever else
 * there is stays as it is, for a check to see it.
 */
export function plainCopy<Value>(value: Value, copies?: Map<object, object>): Value
export function plainCopy(value: unknown, copies = new Map<object, object>()): unknown {
  if (typeof value !== 'object' || value === null) return value
  const known = copies.get(value)
  if (known !== undefined) return known
  if (Array.isArray(value)) {
    const list: unknown[] = []
    copies.set(value, list)
    for (const each of value) list.push(plainCopy(each, copies))
    return list
  }
  if (!isPlain(value)) return value
  const copy = {}
  copies.set(value, copy)
  for (const [key, own] of ownEntries(value)) define(copy, key, plainCopy(own, copies))
  return copy
}

/** What an object has itself, each read once. `parts` are copied in depth, and all else is as it was. */
export function copyParts<Value extends object>(value: Value, parts: readonly (keyof Value & string)[]): Value {
  if (!isPlain(value)) return value
  const copy = {}
  for (const [key, own] of ownEntries(value)) {
    define(copy, key, parts.some((part) => part === key) ? plainCopy(own) : own)
  }
  return copy as Value
}

/** Also what is not enumerable, which would be checked and then be missing; methods, which some libraries hide in configuration, are no data. */
function ownEntries(value: object): [string, unknown][] {
  const found: [string, unknown][] = []
  for (const key of Object.getOwnPropertyNames(value)) {
    const own: unknown = Reflect.get(value, key)
    if (typeof own !== 'function' || Object.prototype.propertyIsEnumerable.call(value, key)) found.push([key, own])
  }
  return found
}

/** Not assigned: `__proto__` is a key like any other. */
function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true })
}
