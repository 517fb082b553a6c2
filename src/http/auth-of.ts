/** Where a gate's finding about the caller is kept: a property `sallyport`, since `auth` belongs to others. */
import type { Auth } from './gate.ts'

/** Puts `auth` where {@link readAuth} finds it: on `req`, `res.locals`, `ctx.state` or Fastify's `request`. */
export function keepAuth(holder: object, auth: Auth): void {
  ;(holder as { sallyport?: Auth }).sallyport = auth
}

/** Where the adapters put it, from what their handlers get. */
interface Places {
  readonly sallyport?: Auth
  readonly state?: { readonly sallyport?: Auth }
  readonly res?: { readonly locals?: { readonly sallyport?: Auth } }
}

/** What any adapter has put there: the entry points have an `authOf` each, and an editor imports the wrong one easily. */
export function findAuth(from: object): Auth | undefined {
  const { sallyport, state, res } = from as Places
  return sallyport ?? state?.sallyport ?? res?.locals?.sallyport
}

/** What {@link keepAuth} put there. */
export function readAuth(holder: object): Auth | undefined {
  return (holder as { sallyport?: Auth }).sallyport
}
