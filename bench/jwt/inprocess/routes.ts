/** What a request costs among 10,000 routes against 10 of the same mix; `auth: none`, so that routing is what is left. */
import type { Gate, GateRequest, GuardConfig } from 'sallyport'
import { contextFromParent, done } from '../../lib/child.ts'
import { median, type Summary, summarise } from '../../lib/stats.ts'
import type { Context } from '../context.ts'
import { bareRequest, type Template, template } from './exchange.ts'
import { readyGuard, settle } from './gate.ts'

export interface Routes {
  /** Time per request among 10,000 routes / among 10. */
  readonly x10000over10: Summary
  /** The same with all requests going to 10 of the 10,000: what is left when the processor's caches hold what is used. */
  readonly x10000over10Hot: Summary
  readonly us: { readonly among10: number; readonly among10000: number }
}

interface Sample {
  readonly route: { readonly host?: string; readonly path: string }
  /** A request that hits the route. */
  readonly request: Template
}

const context = contextFromParent<Context>()
const { rounds, requestsPerRound } = context.quick
  ? { rounds: 30, requestsPerRound: 10_000 }
  : { rounds: 100, requestsPerRound: 10_000 }

const tables = { small: await tableOf(10), large: await tableOf(10_000) }
const cases = {
  small: tables.small,
  large: tables.large,
  hot: { guard: tables.large.guard, samples: tables.large.samples.slice(5000, 5010) },
}
const names = ['small', 'large', 'hot'] as const
const times: Record<(typeof names)[number], number[]> = { small: [], large: [], hot: [] }
const WARMUP_ROUNDS = 10
for (let round = 0; round < WARMUP_ROUNDS + rounds; round++) {
  for (let turn = 0; turn < names.length; turn++) {
    const name = names[(turn + round) % names.length]!
    const us = timeRound(cases[name].guard, cases[name].samples)
    if (round >= WARMUP_ROUNDS) times[name].push(us)
  }
}
const overSmall = (name: 'large' | 'hot'): Summary =>
  summarise(times[name].map((us, round) => us / times.small[round]!))
const routes: Routes = {
  x10000over10: overSmall('large'),
  x10000over10Hot: overSmall('hot'),
  us: { among10: median(times.small), among10000: median(times.large) },
}
done(routes)

function timeRound(guard: Gate, samples: readonly Sample[]): number {
  const requests = Array.from({ length: requestsPerRound }, () =>
    bareRequest(samples[Math.floor(Math.random() * samples.length)]!.request),
  )
  settle()
  const start = performance.now()
  const passed = passAll(guard, requests)
  const elapsed = performance.now() - start
  if (passed !== requests.length) throw new Error(`${requests.length - passed} requests did not find their route`)
  return (elapsed * 1000) / requests.length
}

function passAll(guard: Gate, requests: readonly GateRequest[]): number {
  let passed = 0
  for (const request of requests) {
    const outcome = guard.handle(request)
    if ('kind' in outcome && outcome.kind === 'pass') passed += 1
  }
  return passed
}

async function tableOf(count: number): Promise<{ guard: Gate; samples: readonly Sample[] }> {
  const samples = Array.from({ length: count }, (_, index) => sample(index))
  const config: GuardConfig = { routes: samples.map(({ route }) => ({ ...route, auth: { type: 'none' } })) }
  return { guard: await readyGuard(config), samples }
}

/** The mix: of ten routes, four have an exact host, two a wildcard host, four a path prefix of one to four segments. */
function sample(index: number): Sample {
  const kind = index % 10
  if (kind < 4) {
    const host = `service-${index}.apps.example.com`
    return { route: { host, path: '/' }, request: get(host, '/orders/42?page=2') }
  }
  if (kind < 6) {
    const domain = `team-${index}.example.com`
    return { route: { host: `*.${domain}`, path: '/' }, request: get(`notebook-7.${domain}`, '/lab/tree/a.ipynb') }
  }
  const segments = ['/api', `/v${index % 3}`, `/tenant-${index % 97}`].slice(0, kind - 6)
  const path = `${segments.join('')}/resource-${index}/`
  return { route: { path }, request: get('www.example.org', `${path}items/42?page=2`) }
}

function get(host: string, target: string): Template {
  return template(target, [
    ['Host', host],
    ['Accept', 'application/json'],
  ])
}
