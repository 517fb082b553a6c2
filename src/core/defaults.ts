/** Settings with what is left out filled in. */

/**
 * `given` over `defaults`. What is given as `undefined`, as by `Number(process.env.MAX) || undefined`, counts as left out: spread, it
 * would take the default away, and a bound with it.
 */
export function withDefaults<Settings extends object>(
  defaults: Settings,
  given: { readonly [Name in keyof Settings]?: Settings[Name] | undefined } = {},
): Settings {
  const said = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...defaults, ...Object.fromEntries(said) }
}
