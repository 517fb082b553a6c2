/** Figures for people: a line for each scenario. */

/** `sqlite    SIGKILL      12.3 s  kills 200  reauth 31  …` */
export function lineOf(store: string, scenario: string, figures: object, ms: number): string {
  const time = `${(ms / 1_000).toFixed(1)} s`.padStart(7)
  return `${store.padEnd(9)} ${scenario.padEnd(10)} ${time}  ${textOf(figures)}`
}

function textOf(figures: object): string {
  return Object.entries(figures)
    .map(([name, value]) => `${wordsOf(name)} ${isObject(value) ? `(${textOf(value)})` : value}`)
    .join('  ')
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** `killedAt` is `killed at`. */
function wordsOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}
