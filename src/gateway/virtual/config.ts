/** Virtual MCP servers in the configuration: chosen tools, prompts and resources of several servers under one endpoint. */

/**
 * What of a server a virtual server has: `'*'` for all, a list of names or patterns, or with other names:
 *
 * ```ts
 * tools: { 'dev/github': ['get_*', 'search_code'], 'data/hub': { include: ['search_*'], prefix: 'hub_', rename: { query: 'ask_hub' } } }
 * ```
 */
export type VirtualSelection = '*' | readonly string[] | RenamedSelection

/** A {@link VirtualSelection} with other names. */
export interface RenamedSelection {
  /** Names, or patterns with `*`; all by default. */
  readonly include?: '*' | readonly string[]
  /** From the server's name to ours. What is named here is included, and gets no prefix. */
  readonly rename?: Readonly<Record<string, string>>
  /** Put in front of every other name. */
  readonly prefix?: string
}

/** A virtual MCP server. A grant on it is enough for what is chosen here: no grant on its members is needed. */
export interface VirtualMcpServer {
  /** Answers on `/api/llm/mcp/{id}/server` too. */
  readonly id?: string
  /** What people know it as; its name by default. */
  readonly label?: string
  /** What it is for, at most 1,000 characters; clients get it as `instructions`. */
  readonly description?: string
  /**
   * `all`, the default: connecting reports every consent that is missing. `any`: it connects, lists what was last known of members
   * that are still to be connected, and a call to one of them reports its own.
   */
  readonly require?: 'all' | 'any'
  /** As for a server. */
  readonly signal?: 'best' | 'text'
  /** By server, `group/server`. */
  readonly tools: Readonly<Record<string, VirtualSelection>>
  /** None by default. */
  readonly prompts?: Readonly<Record<string, VirtualSelection>>
  /** By URI, or patterns of it; of templates, by how those are written. None by default. */
  readonly resources?: Readonly<Record<string, '*' | readonly string[]>>
}
