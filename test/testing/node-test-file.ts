/** The kit in node:test, in one line, as a user would write it. */
import { it } from 'node:test'
import { memoryStore } from 'sallyport/stores/memory'
import { storeTests } from 'sallyport/testing'

for (const { name, run } of storeTests(() => memoryStore(), { oneHandle: true })) it(name, run)
