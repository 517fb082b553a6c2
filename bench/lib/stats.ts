/** The few statistics the suites print: medians, because a busy machine has outliers, and how far the samples spread. */

export interface Summary {
  readonly median: number
  /** A tenth of the samples lie below. */
  readonly p10: number
  /** A tenth of the samples lie above. */
  readonly p90: number
  readonly samples: number
}

export function summarise(samples: readonly number[]): Summary {
  return {
    median: quantile(samples, 0.5),
    p10: quantile(samples, 0.1),
    p90: quantile(samples, 0.9),
    samples: samples.length,
  }
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5)
}

/** The quantile `q` (0 to 1), linear between neighbours. */
export function quantile(samples: readonly number[], q: number): number {
  if (samples.length === 0) return Number.NaN
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const below = sorted[Math.floor(at)]!
  const above = sorted[Math.ceil(at)]!
  return below + (above - below) * (at - Math.floor(at))
}

/** Rounds for print and JSON: three digits are more than a benchmark on a shared machine can promise. */
export function round(value: number, digits = 3): number {
  return Number(value.toFixed(digits))
}
