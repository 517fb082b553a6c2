/** Operations per second, and what sealing costs of them. */
import { sealed } from '../../../src/store/sealed.ts'
import type { Key, TokenStore } from '../../../src/store/token-store.ts'
import type { Lab } from './crew.ts'
import { openStore, PATIENT_MS } from './open-store.ts'

/** What came of it; sealed, with 16 callers in one process. */
export interface SpeedFigures {
  readonly getPerSecond: number
  readonly putPerSecond: number
  /** A lease that is taken and released. */
  readonly leasePerSecond: number
  /** Of the time that a get and a put take together. */
  readonly sealingShare: number
}

const CALLERS = 16
const TURNS = 5
/** About as much as tokens are. */
const VALUE = Buffer.alloc(1_000, 'tokens ')

/** @param forMs - how long each operation is measured */
export async function measureSpeed(lab: Lab, forMs: number): Promise<SpeedFigures> {
  const store = openStore(lab.backend.name, lab.backend.url, PATIENT_MS)
  const sealedStore = sealed(store, [lab.sealingKey])
  let [plainMs, sealedMs] = [0, 0]
  let [gets, puts] = [
    { perSecond: 0, ms: 0 },
    { perSecond: 0, ms: 0 },
  ]
  // Turn by turn, so that a busy moment of the machine meets both.
  for (let turn = 0; turn < TURNS; turn++) {
    const plain = await measureBoth(store, `plain-${turn}`, forMs / TURNS)
    const both = await measureBoth(sealedStore, `sealed-${turn}`, forMs / TURNS)
    plainMs += plain.gets.ms + plain.puts.ms
    sealedMs += both.gets.ms + both.puts.ms
    if (both.gets.perSecond > gets.perSecond) gets = both.gets
    if (both.puts.perSecond > puts.perSecond) puts = both.puts
  }
  const leases = await perSecond(forMs, async (caller) => {
    const lease = await sealedStore.lease(keyOf('speed', `lease-${caller}`), 10_000)
    await lease?.release()
  })
  await store.close()
  return {
    getPerSecond: Math.round(gets.perSecond),
    putPerSecond: Math.round(puts.perSecond),
    leasePerSecond: Math.round(leases.perSecond),
    sealingShare: Number(Math.max(0, 1 - plainMs / sealedMs).toFixed(2)),
  }
}

async function measureBoth(store: TokenStore, space: string, forMs: number) {
  const versions = new Map<number, string>()
  const puts = await perSecond(forMs, async (caller) => {
    const written = await store.put(keyOf(space, `${caller}`), VALUE, { ifVersion: versions.get(caller) ?? null })
    if (written === 'conflict') throw new Error('a conflict with nobody else there')
    versions.set(caller, written)
  })
  const gets = await perSecond(forMs, (caller) => store.get(keyOf(space, `${caller}`)))
  return { gets, puts }
}

function keyOf(space: string, id: string): Key {
  return { space, owner: 'speed', id }
}

/** All callers, each one after another. */
async function perSecond(forMs: number, operation: (caller: number) => Promise<unknown>) {
  // Whatever is made on first use.
  await operation(0)
  let count = 0
  const began = performance.now()
  async function call(caller: number): Promise<void> {
    while (performance.now() - began < forMs) {
      await operation(caller)
      count++
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, (_, caller) => call(caller)))
  const ms = performance.now() - began
  return { perSecond: (count * 1_000) / ms, ms: ms / count }
}
