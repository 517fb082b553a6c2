/** Where a gate's finding about the caller is kept: a property `sallyport`, since `auth` belongs to others. */
import type { Auth } from './gate.ts'

/** Puts `auth` where {@link readAuth} finds it: on `req`, `res.locals`, `ctx.state` or Fastify's `request`. */
export function keepAuth(holder: object, auth: Auth): void {
  ;(holder as { sallyport?: Auth }).sallyport = auth
}

/** What {@link keepAuth} put there. */
export function readAuth(holder: object): Auth | undefined {
  return (holder as { sallyport?: Auth }).sallyport
}
