/**
 * What a client is told of a resource that has changed: only of what it may have, by the grants of this moment, and of what is
 * chosen of the member. Members tell of more: some tell everybody of everything, and what a session has once subscribed to there
 * outlives a grant.
 */
import type { Access } from '../../access/access.ts'
import { spliceJson } from '../../mcp/json-splice.ts'
import { RESOURCE_UPDATED } from '../../mcp/list-filter.ts'
import { isJsonObject } from '../../mcp/messages.ts'
import { nameProblem } from '../../mcp/targets.ts'
import { ofUpstream, type UpstreamMessage } from '../../mcp/upstream-messages.ts'
import { collisionName } from '../../mcp/virtual/merge.ts'
import type { Permissions } from '../permissions.ts'
import type { VirtualContext } from './context.ts'
import type { VirtualLists } from './lists.ts'
import type { LiveMember } from './live.ts'
import type { ResourceSubscriptions } from './resource-subscriptions.ts'
import { candidatesOf } from './routes.ts'

/** What it is told with. */
export interface ResourceUpdateParts {
  readonly lists: Pick<VirtualLists, 'list'>
  readonly subscriptions: Pick<ResourceSubscriptions, 'of'>
  readonly permissions: Pick<Permissions, 'ask'>
  /** The grants that count now: a stream may be older. */
  readonly access: () => Access
}

/**
 * `bytes`, what a legacy client would be told of `message`, with the URI that the resource has here; as they are where it is about
 * no resource. `undefined` where the client may not hear of it.
 */
export type ResourceUpdates = (
  context: VirtualContext,
  member: LiveMember,
  message: Extract<UpstreamMessage, { kind: 'notification' }>,
  bytes: Uint8Array,
) => Promise<Uint8Array | undefined>

/** See the top of the file. */
export function createResourceUpdates(parts: ResourceUpdateParts): ResourceUpdates {
  const { lists, subscriptions, permissions, access } = parts

  /** What the client calls a resource; `undefined` where the virtual server does not have it. */
  async function nameOf(context: VirtualContext, member: LiveMember, original: string): Promise<string | undefined> {
    const { session, virtual } = context
    const { name: server } = member.server
    const chosen = member.names.resource?.expose(original)
    if (chosen === undefined || virtual.bridged !== undefined) return chosen?.name
    const subscribed = session === undefined ? undefined : (await subscriptions.of(session, server)).get(original)
    if (subscribed !== undefined) return subscribed
    const { entries } = await lists.list(context, 'resources', { known: true })
    const listed = entries.find((each) => each.server === server && each.original === original)
    if (listed !== undefined) return listed.name
    // As it would be if it were listed: another member's name is not taken for it.
    const { plain } = candidatesOf(virtual, 'resource', chosen.name)
    const owner = plain.find(({ explicit }) => explicit) ?? plain[0]
    if (owner === undefined) return undefined
    return owner.member === member ? chosen.name : collisionName(server, chosen.name, 'resource')
  }

  return async (context, member, { method, value }, bytes) => {
    if (method !== RESOURCE_UPDATED) return bytes
    const original = isJsonObject(value.params) ? value.params.uri : undefined
    if (typeof original !== 'string' || nameProblem(original) !== undefined) return undefined
    const uri = await nameOf(context, member, original)
    if (uri === undefined) return undefined
    // Where nobody can tell, it is not told: the client sees the change when it reads the resource.
    const { kind } = await permissions.ask({ ...context.asker, access: access() }, { kind: 'resource', uri })
    if (kind !== 'allowed') return undefined
    // Also where it is called the same: of two URIs in one message only one has been judged.
    return ofUpstream(() => spliceJson(bytes, [{ path: ['params', 'uri'], json: JSON.stringify(uri) }]))
  }
}
