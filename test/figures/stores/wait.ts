/** Waiting, for things that happen in other processes. */
import { setTimeout as pause } from 'node:timers/promises'

/** Long enough that only what never happens takes longer. */
export const FOR_EVER_MS = 30_000

/** Tries until there is something; `undefined` when it never comes. */
export async function eventually<T>(
  attempt: () => Promise<T | undefined> | T | undefined,
  withinMs = FOR_EVER_MS,
): Promise<T | undefined> {
  const until = performance.now() + withinMs
  for (;;) {
    const found = await attempt()
    if (found !== undefined || performance.now() > until) return found
    await pause(25)
  }
}

/** Something to be waited for. */
export interface Gate {
  readonly passed: Promise<void>
  open(): void
}

/** A gate that is closed. */
export function createGate(): Gate {
  let open = (): void => {}
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { passed, open }
}
