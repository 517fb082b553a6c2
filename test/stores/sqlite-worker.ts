/** A process of its own on a SQLite store: does what it is told on standard input, a line for each thing. */
import { createInterface } from 'node:readline'
import { type SqliteDriverName, sqliteStore } from '../../src/stores/sqlite.ts'

const [path = '', driver] = process.argv.slice(2)
const store = sqliteStore(path, { driver: driver as SqliteDriverName, timeoutMs: 20_000 })
const counter = { space: 'counters', owner: 'all', id: 'one' }
const leased = { space: 'counters', owner: 'all', id: 'lease' }

function say(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

/** Adds one so many times, by compare-and-set; how often somebody else was faster. */
async function count(times: number): Promise<number> {
  let conflicts = 0
  for (let done = 0; done < times; ) {
    const found = await store.get(counter)
    const next = Number(Buffer.from(found?.value ?? '0').toString()) + 1
    const version = await store.put(counter, Buffer.from(`${next}`), { ifVersion: found?.version ?? null })
    if (version === 'conflict') conflicts++
    else done++
  }
  return conflicts
}

say({ ready: true })
for await (const line of createInterface({ input: process.stdin })) {
  const { count: times, lease, write, end } = JSON.parse(line)
  if (times !== undefined) say({ conflicts: await count(times) })
  if (lease !== undefined) say({ leased: (await store.lease(leased, lease)) !== undefined })
  if (write !== undefined) {
    // For ever, to be killed in the middle.
    for (let index = 0; ; index++) {
      const key = { space: 'written', owner: `${write}`, id: `${index}` }
      await store.put(key, Buffer.from(`${index}`), { ifVersion: null })
      say({ written: index })
    }
  }
  if (end) break
}
await store.close()
process.exit(0)
