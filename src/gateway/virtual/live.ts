/** A virtual server as requests see it: its members with what is chosen of each. */

import type { NameKind } from '../../mcp/virtual/merge.ts'
import { compileSelection, type NameMap } from '../../mcp/virtual/selection.ts'
import type { LiveServer } from '../live-server.ts'
import { toSelection } from './check.ts'
import type { VirtualMcpServer } from './config.ts'

/** A member. */
export interface LiveMember {
  readonly server: LiveServer
  /** What is chosen of it, by kind; absent where nothing is. */
  readonly names: Readonly<Partial<Record<NameKind, NameMap>>>
}

/** See the top of the file. */
export interface LiveVirtualServer {
  readonly name: string
  readonly config: VirtualMcpServer
  readonly members: readonly LiveMember[]
  /** Those of which something of a kind is chosen, in the order of the configuration of that kind. */
  readonly having: Readonly<Record<NameKind, readonly LiveMember[]>>
  readonly memberNames: readonly string[]
  /** By their names. */
  readonly byName: ReadonlyMap<string, LiveMember>
  /** Set where it is the view of one plain server (`bridge`), whose names and whose word of itself are kept. */
  readonly bridged: LiveServer | undefined
}

/** Compiles one that has been checked. */
export function toLiveVirtual(
  name: string,
  config: VirtualMcpServer,
  servers: ReadonlyMap<string, LiveServer>,
): LiveVirtualServer {
  const { tools, prompts = {}, resources = {} } = config
  const parts = { tool: tools, prompt: prompts, resource: resources }
  const members = [...new Set(Object.values(parts).flatMap((part) => Object.keys(part)))].flatMap((member) => {
    const server = servers.get(member)
    if (server === undefined) return []
    const names = Object.entries(parts).flatMap(([kind, part]) => {
      const selection = Object.hasOwn(part, member) ? part[member] : undefined
      if (selection === undefined) return []
      return [[kind, compileSelection(toSelection(selection), kind === 'resource' ? 'places' : 'names')] as const]
    })
    return [{ server, names: Object.fromEntries(names) } satisfies LiveMember]
  })
  const byName = new Map(members.map((each) => [each.server.name, each]))
  const having = (part: object) => Object.keys(part).flatMap((member) => byName.get(member) ?? [])
  return Object.freeze({
    name,
    config,
    members,
    having: { tool: having(tools), prompt: having(prompts), resource: having(resources) },
    memberNames: [...byName.keys()],
    byName,
    bridged: undefined,
  })
}

/** One plain server as a virtual one: everything that it has, by its own names. */
export function toBridged(server: LiveServer): LiveVirtualServer {
  const { name, config } = server
  const member: LiveMember = { server, names: { tool: KEPT, prompt: KEPT, resource: KEPT } }
  const { label, description, signal } = config
  return Object.freeze({
    name,
    config: {
      tools: { [name]: '*' },
      prompts: { [name]: '*' },
      resources: { [name]: '*' },
      ...(label === undefined ? {} : { label }),
      ...(description === undefined ? {} : { description }),
      ...(signal === undefined ? {} : { signal }),
    } satisfies VirtualMcpServer,
    members: [member],
    having: { tool: [member], prompt: [member], resource: [member] },
    memberNames: [name],
    byName: new Map([[name, member]]),
    bridged: server,
  })
}

/** Every name stands for itself, for certain. */
const KEPT: NameMap = {
  expose: (name) => ({ name, explicit: true }),
  originalOf: (original) => ({ original, explicit: true }),
  explicit: new Map(),
}
