/** Targets with scheme and host, as clients send them to proxies (RFC 9112 §3.2.2). */

/**
 * No more than clients send: find-my-way 8 looks for the path behind the first slash after the scheme,
 * in a query too, knows no other case of the scheme, and WHATWG URL skips slashes until it finds an authority.
 */
const ABSOLUTE_FORM = /^https?:\/\/([^/?#]+)(\/.*)?$/

/** The authority and the origin-form of an absolute-form target; `undefined` for any other target. */
export function splitAbsoluteForm(target: string): { authority: string; originForm: string } | undefined {
  const [, authority, originForm = '/'] = ABSOLUTE_FORM.exec(target) ?? []
  return authority === undefined ? undefined : { authority, originForm }
}
