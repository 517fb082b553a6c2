/** What the servers on version 2 of the SDK offer. */
import { type EventEmitter, once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import {
  acceptedContent,
  inputRequired,
  McpServer,
  ResourceTemplate,
  type ServerContext,
} from '@modelcontextprotocol/server'
import { z } from 'zod'
import { bearerSubject } from './calls.ts'
import { WIDE_NUMBER } from './wide-number.ts'

/** A server with every kind of thing on it; one per request or session. */
export function sdk2Tools(name: string, events: EventEmitter): McpServer {
  const server = new McpServer(
    { name, version: '1.0.0' },
    { capabilities: { logging: {}, resources: { subscribe: true, listChanged: true }, tools: { listChanged: true } } },
  )
  const described = (description: string) => ({ description })

  server.registerTool(
    'echo',
    { ...described('Says the same.'), inputSchema: z.object({ text: z.string() }) },
    async ({ text }) => said(text),
  )
  server.registerTool(
    'add',
    {
      ...described('Adds two numbers.'),
      inputSchema: z.object({ a: z.number(), b: z.number() }),
      outputSchema: z.object({ sum: z.number() }),
    },
    async ({ a, b }) => ({ ...said(String(a + b)), structuredContent: { sum: a + b } }),
  )
  server.registerTool('whoami', described('Whose token came along.'), async (context: ServerContext) =>
    said(bearerSubject(context.http?.req?.headers.get('authorization'))),
  )
  server.registerTool(
    'count',
    {
      ...described('Counts with a progress notification for each number.'),
      inputSchema: z.object({ to: z.number(), pauseMs: z.number().default(5) }),
    },
    async ({ to, pauseMs }, { mcpReq }) => {
      for (let progress = 1; progress <= to; progress++) {
        const progressToken = mcpReq._meta?.progressToken
        if (progressToken !== undefined) {
          await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: to } })
        }
        await pause(pauseMs)
      }
      return said(`counted to ${to}`)
    },
  )
  server.registerTool(
    'wait',
    described('Waits until it is released or cancelled.'),
    async ({ mcpReq }: ServerContext) => {
      events.emit('waiting')
      const cancelled = () => events.emit('cancelled')
      mcpReq.signal.addEventListener('abort', cancelled, { once: true })
      try {
        await once(events, 'release', { signal: mcpReq.signal })
      } finally {
        mcpReq.signal.removeEventListener('abort', cancelled)
      }
      return said('released')
    },
  )
  server.registerTool(
    'big',
    { ...described('A long answer.'), inputSchema: z.object({ bytes: z.number() }) },
    async ({ bytes }) => said('x'.repeat(bytes)),
  )
  server.registerTool('wide', described('A number of 64 bits.'), async () => ({
    ...said('see the structured content'),
    structuredContent: { id: WIDE_NUMBER },
  }))
  server.registerTool(
    'confirm',
    described('Asks the user first: by input_required, or on the stream.'),
    async ({ mcpReq }: ServerContext) => {
      const answered = acceptedContent(mcpReq.inputResponses, 'sure', SURE)
      if (answered !== undefined) return said(answered.sure ? 'confirmed' : 'left')
      const question = { message: 'Are you sure?', requestedSchema: SURE }
      return inputRequired({ inputRequests: { sure: inputRequired.elicit(question) } })
    },
  )

  server.registerPrompt(
    'greet',
    { ...described('A greeting.'), argsSchema: z.object({ name: z.string() }) },
    async ({ name: whom }) => ({ messages: [{ role: 'user', content: { type: 'text', text: `Greet ${whom}.` } }] }),
  )
  server.registerResource('readme', 'notes://readme', { mimeType: 'text/plain' }, async (uri) => ({
    contents: [{ uri: uri.href, text: 'read me' }],
  }))
  server.registerResource(
    'note',
    new ResourceTemplate('notes://notes/{id}', { list: undefined }),
    { mimeType: 'text/plain' },
    async (uri, { id }) => ({ contents: [{ uri: uri.href, text: `note ${id}` }] }),
  )
  server.server.setRequestHandler('resources/subscribe', async () => ({}))
  server.server.setRequestHandler('resources/unsubscribe', async () => ({}))
  return server
}

const SURE = z.object({ sure: z.boolean() })

function said(text: string) {
  return { content: [{ type: 'text' as const, text }] }
}
