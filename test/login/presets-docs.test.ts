/** The examples in docs/providers are as they say: they make a guard, and the URLs to register are those that it reports. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as sallyport from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const folder = join(import.meta.dirname, '../../docs/providers')
const pages = readdirSync(folder).filter((name) => name !== 'README.md')

/** Runs the example of a page, which is JavaScript but for its imports. */
function guardOf(page: string): sallyport.Guard {
  const code = /```ts\n(.*?)\n```/s.exec(page)?.[1] ?? ''
  const known: Record<string, unknown> = {
    ...sallyport,
    sallyport: () => () => {},
    sqliteStore: () => memoryStore(),
    app: { use: () => {} },
  }
  const body = `const { ${Object.keys(known).join(', ')} } = known\n{ ${code.replace(/^import .*$/gm, '')}\nreturn guard }`
  const guard: sallyport.Guard = new Function('known', body)(known)
  onTestFinished(() => guard.close())
  return guard
}

describe('A9 the guide', () => {
  it('has a page for each preset', () => {
    expect(pages.sort()).toEqual(['auth0.md', 'cognito.md', 'entra.md', 'google.md', 'keycloak.md', 'okta.md'])
  })

  it.each(pages)('%s: its example works, and the URLs are right', (name) => {
    const page = readFileSync(join(folder, name), 'utf8')
    const guard = guardOf(page)
    const [urls, ...others] = guard.redirectUrls()
    expect(others).toEqual([])
    expect(urls?.integration).toBe('corp')
    const told = new Set(page.match(/https:\/\/app\.example\.com\/[\w./-]+/g))
    expect(told).toContain(urls?.callback)
    if (name !== 'google.md') expect(told).toContain(urls?.signedOut)
    for (const url of told) expect([urls?.callback, urls?.signedOut, urls?.backChannelSignOut]).toContain(url)
    expect(guard.endpoints().map(({ redirectUrls }) => redirectUrls)).toEqual([[], [urls?.callback]])
  })
})
