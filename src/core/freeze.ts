/** Freezing plain data, so that requests can share it. */

/** Freezes JSON of any depth. What is frozen already is taken to be so throughout. */
export function deepFreeze<Value>(value: Value): Value {
  const found: unknown[] = [value]
  for (const each of found) {
    if (typeof each === 'object' && each !== null && !Object.isFrozen(each)) {
      found.push(...Object.values(Object.freeze(each)))
    }
  }
  return value
}
