/** How something ends that a test waits for. */

/** What a promise rejects with; rejects where it does not. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  const thrown: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown === undefined) throw new Error('it should not have worked')
  return thrown
}

/** What a promise resolves with; rejects where that takes longer than 15 seconds. */
export async function within<T>(wanted: Promise<T>, what: string): Promise<T> {
  const never = Symbol(what)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<typeof never>((resolve) => {
    timer = setTimeout(resolve, 15_000, never)
  })
  const first = await Promise.race([wanted, late])
  clearTimeout(timer)
  if (first === never) throw new Error(`${what} did not come within 15 s`)
  return first as T
}
