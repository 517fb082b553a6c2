import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^sallyport$/, replacement: at('src/index.ts') },
      { find: /^sallyport\/(express|koa|fastify|node)$/, replacement: at('adapters/$1.ts') },
      { find: /^sallyport\/stores\/(memory|sqlite|redis|postgres)$/, replacement: at('src/stores/$1.ts') },
      { find: /^sallyport\/gateway$/, replacement: at('src/gateway/index.ts') },
      { find: /^sallyport\/testing$/, replacement: at('src/testing/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/global-setup.ts',
    // Far more than any needs: some processes that tests start take twenty seconds on a machine with other work.
    testTimeout: 60_000,
    hookTimeout: 180_000,
    // The default of a second is over at once where a busy machine has stopped the process for as long.
    expect: { poll: { timeout: 15_000 } },
    // Two also on two cores: much of the time goes to servers and databases that the tests wait for.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
})
