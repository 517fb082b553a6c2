import { describe, expect, it } from 'vitest'
import { DependencyError } from '../../src/core/errors.ts'
import { importFunction, importInstalled } from '../../src/core/optional-package.ts'

const notFound = (name: string) =>
  Object.assign(new Error(`Cannot find package '${name}'`), { code: 'ERR_MODULE_NOT_FOUND' })

describe('A5 optional packages', () => {
  it('takes the first that is installed', async () => {
    const asked: string[] = []
    const found = await importFunction(['one', 'two', 'three'], 'compare', 'need', async (name) => {
      asked.push(name)
      if (name === 'one') throw notFound(name)
      return { compare: () => name }
    })
    expect(found()).toBe('two')
    expect(asked).toEqual(['one', 'two'])
  })

  it('finds the function of a CommonJS package under default', async () => {
    const found = await importFunction(['one'], 'verify', 'need', async () => ({ default: { verify: () => 'found' } }))
    expect(found()).toBe('found')
  })

  it('finds the function of a CommonJS package that is a function itself', async () => {
    const main = Object.assign(() => 'main', { verify: () => 'found' })
    const found = await importFunction(['one'], 'verify', 'need', async () => ({ default: main }))
    expect(found()).toBe('found')
  })

  it('passes over a package that is there but does not have the function', async () => {
    const packages: Record<string, unknown> = { one: { other: () => 'no' }, two: { compare: () => 'yes' } }
    const found = await importFunction(['one', 'two'], 'compare', 'need', async (name) => packages[name])
    expect(found()).toBe('yes')
  })

  it('says what to install when there is none', async () => {
    const finding = importFunction(
      ['sallyport-none-a', 'sallyport-none-b'],
      'compare',
      'needs a package',
      importInstalled,
    )
    await expect(finding).rejects.toThrow(DependencyError)
    await expect(finding).rejects.toMatchObject({
      code: 'ERR_DEPENDENCY',
      message: 'needs a package: `npm install sallyport-none-a` or `npm install sallyport-none-b`',
    })
  })

  it('says what is wrong with a package that is installed and does not load', async () => {
    const finding = importFunction(['one', 'two'], 'compare', 'needs a package', async (name) => {
      throw name === 'one' ? new Error('wrong ELF class') : notFound(name)
    })
    await expect(finding).rejects.toThrow(/needs a package: .*\(wrong ELF class\)$/)
  })
})
