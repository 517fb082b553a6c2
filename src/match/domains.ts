/**
 * Domains and the public URLs on them: in front of a wildcard domain
 * (`*.apps.example.com`) goes a label, behind a standard domain (`example.com`) a path.
 */
import { ConfigError } from '../core/errors.ts'
import { type HostPattern, parseHostPattern } from './host-pattern.ts'

/** RFC 1123 §2.1: one label of a host name. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i
/** Unreserved characters of RFC 3986 §2.3: the same in every spelling of a path. */
const SEGMENTS = /^[\w.~-]+(?:\/[\w.~-]+)*$/

/** Parses a domain; a text that says what is wrong when it is not one. */
export function parseDomain(text: string): HostPattern | string {
  const pattern = parseHostPattern(text)
  if (typeof pattern === 'string') return pattern
  return pattern.port === undefined && pattern.path === '/' ? pattern : `"${text}": a domain has neither port nor path`
}

/** A host, or a wildcard for hosts. */
type Hosts = Pick<HostPattern, 'name' | 'wildcard'>

/** Whether a route's host, or a request's, lies on `domain`. */
export function liesOn(domain: Hosts, host: Hosts): boolean {
  if (!domain.wildcard) return !host.wildcard && host.name === domain.name
  if (host.wildcard) return host.name === domain.name
  return host.name.endsWith(`.${domain.name}`) && !host.name.slice(0, -domain.name.length - 1).includes('.')
}

/**
 * The public URL of a service on a domain.
 *
 * ```ts
 * publicUrl('*.apps.example.com', 'orders-ml-8080')   // https://orders-ml-8080.apps.example.com/
 * publicUrl('example.com', 'orders-ml-8080')          // https://example.com/orders-ml-8080/
 * ```
 *
 * @throws ConfigError (`ERR_CONFIG`) when the domain is none, or the service's name cannot stand there.
 */
export function publicUrl(domain: string, service: string): string {
  const parsed = parseDomain(domain)
  if (typeof parsed === 'string') throw new ConfigError([{ path: '', message: parsed }])
  const fits = parsed.wildcard
    ? LABEL.test(service)
    : SEGMENTS.test(service) && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(service)
  if (!fits) {
    const place = parsed.wildcard ? `a label in front of "${parsed.name}"` : `a path on "${parsed.name}"`
    throw new ConfigError([{ path: '', message: `"${service}" cannot be ${place}` }])
  }
  return parsed.wildcard ? `https://${service.toLowerCase()}.${parsed.name}/` : `https://${parsed.name}/${service}/`
}

/** The public URLs that a service can have, one for each domain; see {@link publicUrl}. */
export function publicUrls(domains: readonly string[], service: string): string[] {
  return domains.map((domain) => publicUrl(domain, service))
}
