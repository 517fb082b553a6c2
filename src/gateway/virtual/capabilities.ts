/** What a virtual server says of itself: in the answer to `initialize`, and to `server/discover`. */
import { type LegacyRevision, META, MODERN_REVISIONS } from '../../mcp/eras.ts'
import { isJsonObject, type JsonObject } from '../../mcp/messages.ts'
import type { UpstreamAbout } from '../../mcp/upstream-peer.ts'
import { serverInfoOf } from './context.ts'
import type { LiveVirtualServer } from './live.ts'

/**
 * The result of `initialize`.
 *
 * @param about - what a bridged server says of itself
 */
export function handshakeOf(virtual: LiveVirtualServer, revision: LegacyRevision, about?: UpstreamAbout): JsonObject {
  return {
    protocolVersion: revision,
    capabilities: about === undefined ? capabilitiesOf(virtual, 'legacy') : crossingOf(about.capabilities),
    serverInfo: serverInfoOf(virtual, about),
    ...instructionsOf(virtual, about),
  }
}

/**
 * The result of `server/discover` (2026-07-28). What is chosen may change at any time.
 *
 * @param about - what a bridged server says of itself
 */
export function discoveryOf(virtual: LiveVirtualServer, about?: UpstreamAbout): JsonObject {
  return {
    resultType: 'complete',
    supportedVersions: MODERN_REVISIONS,
    capabilities: about === undefined ? capabilitiesOf(virtual, 'modern') : crossingOf(about.capabilities),
    ...instructionsOf(virtual, about),
    ttlMs: 0,
    cacheScope: 'private',
    _meta: { [META.serverInfo]: serverInfoOf(virtual, about) },
  }
}

/** A bridged server speaks for itself: its description is for people who connect it. */
function instructionsOf({ config: { description } }: LiveVirtualServer, about?: UpstreamAbout): JsonObject {
  const instructions = about === undefined ? description : about.instructions
  return instructions === undefined ? {} : { instructions }
}

/** What both eras have, and so crosses: not tasks, extensions and experiments. */
const CROSSING = ['tools', 'prompts', 'resources', 'completions', 'logging'] as const

function crossingOf(capabilities: JsonObject): JsonObject {
  return Object.fromEntries(
    CROSSING.flatMap((name) => (isJsonObject(capabilities[name]) ? [[name, capabilities[name]]] : [])),
  )
}

/** What is chosen, and what crosses. */
function capabilitiesOf({ having }: LiveVirtualServer, era: 'legacy' | 'modern'): JsonObject {
  const { tool, prompt, resource } = having
  return {
    ...(tool.length > 0 ? { tools: { listChanged: true } } : {}),
    ...(prompt.length > 0 ? { prompts: { listChanged: true } } : {}),
    ...(resource.length > 0 ? { resources: { listChanged: true, subscribe: true } } : {}),
    ...(prompt.length + resource.length > 0 ? { completions: {} } : {}),
    // 2026-07-28 has the level in each request, and calls the feature deprecated.
    ...(era === 'legacy' ? { logging: {} } : {}),
  }
}
