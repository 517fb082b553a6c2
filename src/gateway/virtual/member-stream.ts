/** What one member tells without having been asked, as that has it: a GET up to 2025-11-25, `subscriptions/listen` from 2026-07-28 on. */
import { Abort } from '../../http/abort.ts'
import type { AbortSource } from '../../http/gate.ts'
import type { RequestMessage } from '../../mcp/messages.ts'
import { ownId } from '../../mcp/request-ids.ts'
import type { SubscriptionFilter } from '../../mcp/subscription-filter.ts'
import { type UpstreamMessage, UpstreamReadError } from '../../mcp/upstream-messages.ts'
import type { UpstreamSessions } from '../../mcp/upstream-peer.ts'
import { toMember } from '../../mcp/virtual/crossing.ts'
import { type Listening, noteHeard, noteRefusal } from './listening.ts'
import type { ReachedMember } from './members.ts'
import { abortWith } from './running-calls.ts'

/** Messages of a member; none where it cannot be listened to, of which `listening` then tells more. */
export type MemberStream = AsyncGenerator<UpstreamMessage>

/** Listens to a member until it ends or `signal` aborts. What comes of it is noted in `listening`. */
export async function* fromMember(
  sessions: Pick<UpstreamSessions, 'send' | 'listen'>,
  reached: ReachedMember,
  filter: SubscriptionFilter,
  signal: AbortSource,
  listening: Listening,
): MemberStream {
  const { peer, link } = reached
  if (link.era === 'legacy') {
    const result = await sessions.listen(peer, link, signal)
    if (result.kind !== 'messages') return noteRefusal(listening, reached, result)
    noteHeard(listening, link)
    return yield* result.messages
  }
  const { uris, ...changes } = filter
  const wanted = Object.fromEntries(Object.entries(changes).filter(([, value]) => value))
  const notifications = uris.length === 0 ? wanted : { ...wanted, resourceSubscriptions: uris }
  if (Object.keys(notifications).length === 0) {
    listening.over = true
    return
  }
  const [id, method, params] = [ownId(), 'subscriptions/listen', { notifications }]
  const raw = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
  const request: RequestMessage = { kind: 'request', id, method, params, raw }
  const message = toMember(request, { id, from: 'legacy', link, peer, original: undefined })
  const result = await sessions.send(peer, link, message, signal)
  if (result.kind !== 'messages') return noteRefusal(listening, reached, result)
  noteHeard(listening, link)
  for await (const each of result.messages) {
    if (each.kind === 'response' && each.value.error !== undefined) listening.over = true
    yield each
  }
}

/**
 * Listens to a modern member, each time anew when what is listened to changes: first to the new, then no more to the old, so that
 * nothing is missed in between. What is told twice by that, a change, is true twice.
 *
 * @param open - listens to what is wanted at that moment
 * @param watch - is given what has to be called at each change; returns what ends that
 */
export async function* whileItChanges(
  open: (signal: AbortSource) => Promise<MemberStream>,
  watch: (changed: () => Promise<void>) => () => void,
  signal: AbortSource,
): MemberStream {
  let waiting: (() => void)[] = []
  let wake: (() => void) | undefined
  const unwatch = watch(
    () =>
      new Promise((resolve) => {
        waiting.push(resolve)
        wake?.()
      }),
  )
  let current: Awaited<ReturnType<typeof begin>> | undefined
  try {
    current = await begin()
    for (;;) {
      if (waiting.length > 0) {
        const told = waiting
        waiting = []
        const fresh = await begin()
        const acknowledged = await firstOf(fresh)
        for (const resolve of told) resolve()
        if (acknowledged === undefined) {
          // What there is is better than nothing.
          fresh.abort.abort()
          continue
        }
        const before = current
        current = { ...fresh, next: nextOf(fresh.messages) }
        before.abort.abort()
        yield acknowledged
        yield* rest(before)
        continue
      }
      const woken = new Promise<undefined>((resolve) => {
        wake = () => resolve(undefined)
      })
      const result = await Promise.race([current.next, woken])
      wake = undefined
      if (result === undefined) continue
      if (result.done === true) return
      yield result.value
      current.next = nextOf(current.messages)
    }
  } finally {
    unwatch()
    current?.abort.abort()
    for (const resolve of waiting) resolve()
  }

  async function begin() {
    const abort = abortWith(new Abort(), signal)
    const messages = await open(abort)
    return { abort, messages, next: nextOf(messages) }
  }
}

/** The next message. Whoever has gone before it fails need not hear of that; whoever waits for it does. */
function nextOf(messages: MemberStream): ReturnType<MemberStream['next']> {
  const next = messages.next()
  next.catch(() => {})
  return next
}

/** What a stream begins with, its acknowledgement, without which it is not sure that anything is heard. */
async function firstOf({ next }: { readonly next: ReturnType<MemberStream['next']> }) {
  try {
    const { value, done } = await next
    return done === true || value.kind !== 'notification' ? undefined : value
  } catch (error) {
    if (error instanceof UpstreamReadError) return undefined
    throw error
  }
}

/** What has come already of a stream that nobody listens to any more. */
async function* rest({ messages, next }: { messages: MemberStream; next: ReturnType<MemberStream['next']> }) {
  try {
    for (let result = await next; result.done !== true; result = await messages.next()) yield result.value
  } catch (error) {
    if (!(error instanceof UpstreamReadError)) throw error
  }
}
