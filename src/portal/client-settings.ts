/** Settings for MCP clients, ready to paste: pure texts of an address and a token. */

/** Settings for one client. */
export interface ClientSettings {
  /** Plain letters, for ids. */
  readonly id: string
  readonly client: string
  /** Where the text belongs. */
  readonly where: string
  readonly text: string
}

/**
 * Settings for `name`, `group/server`.
 *
 * @param token - a key, or what stands in its place
 */
export function clientSettings(name: string, url: string, token: string): ClientSettings[] {
  const short = name.replaceAll(/[^A-Za-z0-9_-]+/g, '-')
  const headers = { Authorization: `Bearer ${token}` }
  const json = (value: object) => JSON.stringify(value, null, 2)
  return [
    {
      id: 'claude',
      client: 'Claude Code',
      where: 'In a terminal:',
      text: `claude mcp add --transport http ${short} ${url} --header "Authorization: Bearer ${token}"`,
    },
    {
      id: 'vscode',
      client: 'VS Code',
      where: 'In .vscode/mcp.json of a project, or by the command "MCP: Open User Configuration":',
      text: json({ servers: { [short]: { type: 'http', url, headers } } }),
    },
    {
      id: 'cursor',
      client: 'Cursor',
      where: 'In .cursor/mcp.json of a project, or in ~/.cursor/mcp.json:',
      text: json({ mcpServers: { [short]: { url, headers } } }),
    },
    {
      id: 'inspector',
      client: 'MCP Inspector',
      where: 'In a terminal, to list the tools:',
      text: `npx @modelcontextprotocol/inspector --cli ${url} --transport http --header "Authorization: Bearer ${token}" --method tools/list`,
    },
    {
      id: 'python',
      client: 'Python',
      where: 'With the package fastmcp:',
      text: `import asyncio

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport


async def main():
    transport = StreamableHttpTransport(
        "${url}",
        headers={"Authorization": "Bearer ${token}"},
    )
    async with Client(transport) as client:
        for tool in await client.list_tools():
            print(tool.name)


asyncio.run(main())`,
    },
  ]
}
