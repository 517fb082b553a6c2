/** Where `ioredis` is what is installed: opens the driver for a URL and says what became of it. Node itself imports. */
import { driverAt } from '../../src/stores/redis-open.ts'

try {
  const driver = await driverAt('redis://127.0.0.1:1', 300, async (name) => {
    if (name === 'redis') throw Object.assign(new Error('none'), { code: 'ERR_MODULE_NOT_FOUND' })
    return import(name)
  })
  driver.close()
  console.log(JSON.stringify({ opened: true }))
} catch (error) {
  console.log(JSON.stringify({ opened: false, error: String(error) }))
}
