/** G17, B9: who called which server and tool, with what outcome and by which rule; and no secret in any of it. */
import type { AuditEvent } from 'sallyport/gateway'
import { GATEWAY_SECRETS } from '../gateway.ts'
import { PASSWORD } from '../people.ts'
import { say, styled } from '../print.ts'
import { ALICES_HUB_KEY } from '../upstreams/hub.ts'
import type { GatewayChapter } from './stage.ts'

const OUTCOMES = ['relayed', 'denied', 'authorization_required', 'unauthenticated', 'refused'] as const
const CONNECTIONS = ['consent_started', 'connected', 'disconnected'] as const
const KEYS = ['created', 'used', 'refused', 'revoked'] as const

export const audit: GatewayChapter = async ({ demo: { gateways }, walk, tokens, browsers }) => {
  walk.chapter("G17 Everything is told: gateway.on('audit', …)")
  const events = gateways.audit
  const show = async (what: string, word: string, found: AuditEvent | undefined, got: string | undefined) => {
    await walk.once('G17', what, word, () => String(got))
    if (found !== undefined) say(`           ${describeAudit(found)}`)
  }
  for (const outcome of OUTCOMES) {
    const found = events.findLast((event) => event.type === 'request' && event.outcome === outcome)
    await show('a request with the outcome', outcome, found, found?.type === 'request' ? found.outcome : undefined)
  }
  for (const kind of CONNECTIONS) {
    const found = events.findLast((event) => event.type === 'connection' && event.kind === kind)
    await show('a connection', kind, found, found?.type === 'connection' ? found.kind : undefined)
  }
  for (const kind of KEYS) {
    const found = events.findLast((event) => event.type === 'key' && event.kind === kind)
    await show('an API key', kind, found, found?.type === 'key' ? found.kind : undefined)
  }
  await walk.once('B9', 'the rule that let alice search the hub', 'access[3]', () => {
    const found = events.find(
      (event) =>
        event.type === 'request' &&
        event.outcome === 'relayed' &&
        event.targets.some(({ name }) => name === 'search_dataset'),
    )
    return found?.type === 'request' ? `access[${found.rule?.index}]` : 'nothing'
  })
  await walk.once('G17', 'tokens, secrets, cookies, codes and links in all of that', '0', () => {
    const given = Object.values(tokens).flatMap((token) => ('jwt' in token ? [token.jwt] : []))
    const cookies = browsers.flatMap((browser) => [...browser.secrets])
    const text = JSON.stringify(events)
    const secrets = [...given, ...GATEWAY_SECRETS, ALICES_HUB_KEY, PASSWORD, ...cookies]
    return String(secrets.filter((secret) => text.includes(secret)).length + (text.match(/\/connect\//g)?.length ?? 0))
  })
}

/** An event in one line. */
export function describeAudit(event: AuditEvent): string {
  return styled(
    'dim',
    words(event)
      .filter((word) => word !== null && word !== '')
      .join('; '),
  )
}

function words(event: AuditEvent): (string | null)[] {
  if (event.type === 'connection') return [`connection: ${event.kind}`, event.server, event.reason, event.detail]
  if (event.type === 'key') return [`key: ${event.kind}`, event.name, event.via, event.reason]
  const { caller, server, httpMethod, methods, targets, outcome, reason, detail, rule, credential, status, ms } = event
  const what = [httpMethod, server ?? '(no server)', ...methods, ...targets.map(({ name }) => name)].join(' ')
  return [
    `${what} → ${status} ${outcome}`,
    caller && `${caller.subject} of ${caller.integration} by ${caller.via}`,
    reason,
    detail,
    rule && `access[${rule.index}]`,
    credential && `credential ${credential}`,
    `${ms.toFixed(1)} ms`,
  ]
}
