/** How the suite starts the gateway as a client; it puts the URL of the scenario's server behind it. */
import { fileURLToPath } from 'node:url'

const TSX = import.meta.resolve('tsx')
const ADAPTER = fileURLToPath(new URL('adapter.ts', import.meta.url))

/** On the Node that this runs on, whatever the suite itself runs on. The suite hands it to a shell. */
export const ADAPTER_COMMAND = [process.execPath, '--import', TSX, ADAPTER].map(quoted).join(' ')

function quoted(text: string): string {
  return /^[\w/:.@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
