/** A world of pages that closes with its test, and the people in it. */
import { onTestFinished } from 'vitest'
import { type PortalWorld, type PortalWorldOptions, startPortal } from './portal-world.ts'

/** Starts one. */
export async function open(options?: PortalWorldOptions): Promise<PortalWorld> {
  const world = await startPortal(options)
  onTestFinished(() => world.close())
  return world
}

/** Somebody who has signed in. */
export async function person(world: PortalWorld, name: string) {
  const [found] = await world.gateway.people.find(`${name}@example.com`)
  if (found === undefined) throw new Error(`${name} has not signed in`)
  return found
}
