/** A property of a value that nothing is known about; of a function too, as what a CommonJS package exports may be one. */
export function property(holder: unknown, name: string): unknown {
  const holds = typeof holder === 'function' || (typeof holder === 'object' && holder !== null)
  return holds ? Reflect.get(holder, name) : undefined
}
