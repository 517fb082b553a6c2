/** Closes a Redis store while its client is still being imported; then nothing should keep the process. */
import { setImmediate as turn } from 'node:timers/promises'
import { redisStore } from '../../src/stores/redis.ts'

const store = redisStore(process.argv[2] ?? '')
store.changes?.(() => {})
await turn()
await store.close()
console.log(JSON.stringify({ closed: true }))
