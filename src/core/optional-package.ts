/** Optional packages: whichever of several is installed, imported when it is needed and not before. */
import { DependencyError, messageOf } from './errors.ts'
import { property } from './property.ts'

/** Imports a package by name. Tests put one in that knows no packages. */
export type PackageImporter = (name: string) => Promise<unknown>

/** A function of a package that we have no types of. */
export type PackageFunction = (...parameters: readonly unknown[]) => unknown

/** Node's own `import()`. */
export const importInstalled: PackageImporter = (name) => import(name)

/**
 * The function called `name` of the first of `packages` that is installed.
 *
 * @param need What the packages are needed for; begins the error's message.
 * @throws DependencyError (`ERR_DEPENDENCY`) when none can be imported. Says what is wrong with one that is installed.
 */
export async function importFunction(
  packages: readonly string[],
  name: string,
  need: string,
  importPackage: PackageImporter,
): Promise<PackageFunction> {
  const failures: unknown[] = []
  for (const packageName of packages) {
    try {
      return functionOf(await importPackage(packageName), packageName, name)
    } catch (error) {
      failures.push(error)
    }
  }
  const broken = failures.filter((failure) => !isNotFound(failure)).map((failure) => ` (${messageOf(failure)})`)
  const commands = packages.map((packageName) => `npm install ${packageName}`).join('` or `')
  throw new DependencyError(`${need}: \`${commands}\`${broken.join('')}`, { cause: new AggregateError(failures) })
}

/** Of a CommonJS package, Node finds the named exports by guessing; `default` is what it really exports. */
function functionOf(imported: unknown, packageName: string, name: string): PackageFunction {
  for (const holder of [imported, property(imported, 'default')]) {
    const found = property(holder, name)
    if (typeof found === 'function') return found as PackageFunction
  }
  throw new Error(`the package "${packageName}" has no function ${name}()`)
}

function isNotFound(failure: unknown): boolean {
  const code = property(failure, 'code')
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
}
