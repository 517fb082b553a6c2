/** Asks for the number of 64 bits, with `fetch`: the SDKs' clients would round it before anybody sees it. */

/** The digits in the answer of the tool `wide` at `url`, as they came. */
export async function askWideNumber(url: string, token?: string): Promise<string | undefined> {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const params = { name: 'wide', arguments: {}, _meta: meta }
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'wide',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
  })
  return /"structuredContent": *\{ *"id": *(\d+)/.exec(await response.text())?.[1]
}
