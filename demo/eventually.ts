/** Waits for what replicas come to know by themselves. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Replicas believe what they have looked up for 5 seconds, where the store does not tell them of changes; SQLite does not. */
const BELIEVED_MS = 5_000
const PAUSE_MS = 100

/** Asks until the answer is no longer `old`, or should long not be. */
export async function eventually(old: string, find: () => Promise<string>): Promise<string> {
  const deadline = Date.now() + 2 * BELIEVED_MS
  let found = await find()
  while (found === old && Date.now() < deadline) {
    await sleep(PAUSE_MS)
    found = await find()
  }
  return found
}
