/** What a virtual server says of itself: in the answer to `initialize`, and to `server/discover`. */
import { type LegacyRevision, META, MODERN_REVISIONS } from '../../mcp/eras.ts'
import type { JsonObject } from '../../mcp/messages.ts'
import { serverInfoOf } from './context.ts'
import type { LiveVirtualServer } from './live.ts'

/** The result of `initialize`. */
export function handshakeOf(virtual: LiveVirtualServer, revision: LegacyRevision): JsonObject {
  return {
    protocolVersion: revision,
    capabilities: capabilitiesOf(virtual, 'legacy'),
    serverInfo: serverInfoOf(virtual),
    ...instructionsOf(virtual),
  }
}

/** The result of `server/discover` (2026-07-28). What is chosen may change at any time. */
export function discoveryOf(virtual: LiveVirtualServer): JsonObject {
  return {
    resultType: 'complete',
    supportedVersions: MODERN_REVISIONS,
    capabilities: capabilitiesOf(virtual, 'modern'),
    ...instructionsOf(virtual),
    ttlMs: 0,
    cacheScope: 'private',
    _meta: { [META.serverInfo]: serverInfoOf(virtual) },
  }
}

function instructionsOf({ config: { description } }: LiveVirtualServer): JsonObject {
  return description === undefined ? {} : { instructions: description }
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
