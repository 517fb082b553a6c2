/** How much work something is, on a machine that others use too: a process that is stopped uses no processor time. */

/** Milliseconds of processor time that `work` takes. */
export function cpuMs(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
