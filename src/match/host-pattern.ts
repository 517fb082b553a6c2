/** The `host` of a route: a name, a wildcard (`*.apps.example.com`), and optionally a port and a path behind it (A1, A2). */
import { domainToASCII } from 'node:url'
import { canonicalHost } from '../http/host.ts'

/** A parsed `host`. */
export interface HostPattern {
  /** Lower case, without the wildcard: `apps.example.com`. */
  readonly name: string
  /** Whether exactly one label of any name stands in front of `name`. */
  readonly wildcard: boolean
  readonly port: number | undefined
  /** `/` when the host has no path behind it. */
  readonly path: string
}

const PARTS = /^(?<wildcard>\*\.)?(?<name>[^/:*[\]]+|\[[^\]]*\])(?::(?<port>\d+))?(?<path>\/.*)?$/

/** A name that IDNA must spell in ASCII. Nothing else is given to `domainToASCII`, which cuts a name off at `?`, `#` and `\`. */
const NOT_ASCII_NAME = /^(?=.*[\u0080-\uffff])[\w.\u0080-\uffff-]+$/

/** Parses a route's `host`; a text that says what is wrong when it is not one. */
export function parseHostPattern(text: string): HostPattern | string {
  if (/^[a-z]+:\/\//i.test(text))
    return `"${text}" is a URL; write the host only, "${text.replace(/^[a-z]+:\/\//i, '')}"`
  const { wildcard, name = '', port, path } = PARTS.exec(text)?.groups ?? {}
  if (name === '' && text.includes('*')) {
    return `in "${text}" the star must be the whole first label, as in "*.apps.example.com"`
  }
  const host = canonicalHost(NOT_ASCII_NAME.test(name) ? domainToASCII(name) : name)
  if (host === undefined || host === '') return `"${text}" is not a host name`
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65535)) return `"${text}" has no valid port`
  return {
    name: host,
    wildcard: wildcard !== undefined,
    port: port === undefined ? undefined : Number(port),
    path: path ?? '/',
  }
}

/** `*.apps.example.com`, as it was written. */
export function hostPatternText(pattern: HostPattern): string {
  return pattern.wildcard ? `*.${pattern.name}` : pattern.name
}
