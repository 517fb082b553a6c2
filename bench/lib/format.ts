/** How findings are written down: rounded, and with how far the samples spread. */
import { round, type Summary } from './stats.ts'

export function short(summary: Summary): number {
  return round(summary.median)
}

export function spread({ p10, p90, samples }: Summary): object {
  return { p10: round(p10), p90: round(p90), samples }
}

export function range({ p10, p90 }: Summary, digits = 2): string {
  return `${p10.toFixed(digits)}–${p90.toFixed(digits)}`
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}

export function heading(text: string): string {
  return `\n${text}`
}
