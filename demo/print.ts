/** Text for the terminal: aligned columns, and colour where it is one. */
import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** `text` in a style; as it is where the output goes into a file or a pipe. */
export function styled(style: Style, text: string): string {
  return process.stdout.isTTY && !process.env.NO_COLOR ? styleText(style, text) : text
}

/** A line of output. */
export function say(text = ''): void {
  process.stdout.write(`${text}\n`)
}

/** The title of a part of the output. */
export function title(text: string): void {
  say(`\n${styled('bold', text)}`)
}

/** A table with a heading, each column as wide as its longest cell. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = heading.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    `  ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`
  say(styled('dim', line(heading).trimEnd()))
  for (const row of rows) say(line(row).trimEnd())
}
