/** From what was seen of a server to what an operator should know about it. Pure: looking is done in `broker/examine.ts`. */

import type { Examination, ExaminedServer } from '../broker/discovery/examine.ts'
import type { Probe, ProbeStatus } from '../broker/discovery/probe.ts'
import { mediaTypeOf } from '../mcp/media-type.ts'
import { isJsonObject, type JsonObject } from '../mcp/messages.ts'
import { lastResponseIn } from '../mcp/response-in.ts'
import { eraShown } from '../mcp/server-eras.ts'
import { presentable } from '../net/fetch.ts'
import type { ServerMetadata } from '../oauth/metadata.ts'
import { chooseScopes, OFFLINE_ACCESS } from '../oauth/scopes.ts'
import type { McpServer } from './config.ts'
import type { DoctorFinding, DoctorReport } from './doctor-report.ts'
import { providerHint } from './provider-hints.ts'

type OAuth2 = Extract<McpServer['auth'], { type: 'oauth2' }>

/** What {@link doctorFindings} makes. */
export interface Diagnosis {
  readonly findings: readonly DoctorFinding[]
  readonly suggestion: DoctorReport['suggestion']
}

/**
 * See the top of the file.
 *
 * @param redirectUrl - where answers of an issuer come back to
 */
export function doctorFindings(
  config: McpServer,
  seen: Examination,
  redirectUrl: (issuer: string) => string,
): Diagnosis {
  const findings: DoctorFinding[] = []
  const suggestion: Record<string, unknown> = {}
  const add = (about: DoctorFinding['about'], level: DoctorFinding['level'], message: string) => {
    findings.push({ about, level, message })
  }
  const { auth } = config
  if (seen.probe.kind === 'found') aboutServer(seen.probe.value, config, add)
  else add('server', 'bad', `it does not answer: ${seen.probe.kind === 'failed' ? seen.probe.detail : 'no answer'}`)
  if (auth.type !== 'oauth2') {
    aboutOtherAuth(auth.type, seen, add)
    return { findings, suggestion: undefined }
  }
  aboutResource(auth, seen, add)
  const usable = seen.authorizationServers.filter(({ metadata, problem, way }) => {
    return metadata.kind === 'found' && problem === undefined && way !== undefined
  })
  const [chosen] = usable
  for (const each of seen.authorizationServers) if (each !== chosen) aboutUnused(each, chosen !== undefined)
  if (seen.authorizationServers.length === 0) {
    add('authorization_server', 'bad', 'no authorization server is known; write its issuer into the configuration')
    suggestion.issuer = '<the issuer of its authorization server>'
  }
  if (chosen?.metadata.kind === 'found') aboutChosen(chosen, chosen.metadata.value)
  return { findings, suggestion: Object.keys(suggestion).length === 0 ? undefined : suggestion }

  function aboutUnused({ issuer, metadata, spelling, problem, way }: ExaminedServer, another: boolean): void {
    const level = another ? 'odd' : 'bad'
    if (metadata.kind !== 'found') {
      const why = metadata.kind === 'failed' ? metadata.detail : 'there is none (RFC 8414, OpenID Connect Discovery)'
      add('authorization_server', level, `the metadata of ${presentable(issuer)} is of no use: ${why}`)
      if (spelling !== undefined && !another) {
        add(
          'provider',
          'odd',
          `it spells its issuer "${presentable(spelling)}", and the MCP server names "${presentable(issuer)}": one of them has a mistake`,
        )
        suggestion.issuer = spelling
      }
      const hint = providerHint(issuer)
      if (hint !== undefined && !another) addHint(hint)
      return
    }
    if (problem !== undefined) {
      add(problem.includes('PKCE') ? 'pkce' : 'authorization_server', level, `${presentable(issuer)} ${problem}`)
      const client = way === undefined ? { clientId: '<as registered there>' } : {}
      if (problem.includes('PKCE') && !another) Object.assign(suggestion, { issuer, ...client })
      return
    }
    if (way !== undefined) {
      add('authorization_server', 'good', `${presentable(issuer)} could be used as well`)
      return
    }
    add(
      'registration',
      level,
      `a client id is needed: ${presentable(issuer)} takes no metadata document of ours and registers nobody. Register the gateway there by ` +
        `hand, with the redirect URL ${redirectUrl(issuer)}`,
    )
    if (!another) Object.assign(suggestion, { issuer, clientId: '<as registered there>' })
  }

  function aboutChosen({ issuer, source, way }: ExaminedServer, metadata: ServerMetadata): void {
    const own = auth as OAuth2
    const where = {
      resource: 'named by the MCP server',
      origin: 'found at the origin of the MCP server, as in 2025-03-26',
      default: 'without metadata, with the default endpoints of 2025-03-26',
      configured: 'as configured',
    }[source]
    const level = source === 'default' || source === 'origin' ? 'odd' : 'good'
    add('authorization_server', level, `the authorization server is ${presentable(issuer)}, ${where}`)
    const pkce = metadata.challengeMethods?.includes('S256')
    if (pkce === true) add('pkce', 'good', 'it supports PKCE with S256')
    else add('pkce', 'odd', 'it does not say whether it supports PKCE; it is used all the same')
    aboutWay(way, metadata)
    aboutScopes(own, seen, metadata, add)
    if (metadata.issParameter) add('iss', 'good', 'it says who it is in its answers (RFC 9207)')
    else add('iss', own.callbackPath === undefined ? 'good' : 'odd', `it does not send iss (RFC 9207): ${NO_ISS}`)
    if (metadata.grantTypes !== undefined && !metadata.grantTypes.includes('refresh_token')) {
      add('refresh', 'odd', 'it gives no refresh tokens: people consent again each time their token ends')
    }
    if (metadata.revocationUrl !== undefined) add('revocation', 'good', 'tokens can be revoked there (RFC 7009)')
    else
      add(
        'revocation',
        'odd',
        'it has no revocation endpoint: who disconnects does so here only, and its token ends by itself',
      )
    const hint = providerHint(issuer, own)
    if (hint !== undefined) addHint(hint)
  }

  function aboutWay(way: ExaminedServer['way'], metadata: ServerMetadata): void {
    if (way === 'configured') {
      add('registration', 'good', 'the client is the one of the configuration')
      return
    }
    if (way === 'document') {
      add(
        'registration',
        'good',
        `the client is the gateway's metadata document, ${seen.document}: nothing is registered`,
      )
      return
    }
    const why = metadata.clientIdDocuments
      ? `; its metadata document is not used: ${documentProblem(seen.document, metadata)}`
      : ''
    add(
      'registration',
      'good',
      `the gateway registers itself when somebody connects for the first time (RFC 7591)${why}`,
    )
  }

  function addHint(hint: NonNullable<ReturnType<typeof providerHint>>): void {
    add('provider', 'odd', hint.message)
    Object.assign(suggestion, hint.auth)
  }
}

type Add = (about: DoctorFinding['about'], level: DoctorFinding['level'], message: string) => void

const NO_ISS = 'no other authorization server may share its callback path'

function documentProblem(document: string | undefined, { issParameter }: ServerMetadata): string {
  if (document === undefined) return 'the gateway has to be on https, with no callbackPath for this server'
  return issParameter ? 'public clients are not taken' : 'the authorization server would have to send iss (RFC 9207)'
}

function aboutServer({ statuses, challenged, challenge }: Probe, { era, url, auth }: McpServer, add: Add): void {
  const said = statuses.map(({ asked, status }) => `${status} to ${asked}`).join(', ')
  add('server', 'good', `${presentable(url)} answers: ${said}`)
  const { modern, legacy } = erasSpoken(statuses)
  const seen = modern ? 'modern' : legacy ? 'legacy' : undefined
  if (era !== undefined && seen !== undefined && !(era === 'modern' ? modern : legacy)) {
    add('era', 'odd', `the configuration says that it speaks the ${era} era, and it seems to speak the ${seen} one`)
  } else if (seen === undefined) add('era', 'good', 'which era it speaks it does not say without a credential')
  else if (seen === 'legacy') add('era', 'good', 'it speaks 2025-11-25 or older')
  else add('era', 'good', legacy ? 'it speaks 2026-07-28, and revisions before it' : 'it speaks 2026-07-28')
  if (statuses.some(({ status }) => status >= 300 && status < 400)) {
    add(
      'server',
      'bad',
      'it redirects, which is not followed with a credential: configure the address that it leads to',
    )
  } else if (!challenged && seen === undefined && statuses.some(({ asked }) => asked === 'initialize')) {
    add('server', 'bad', 'it takes neither a modern request nor initialize: is this its MCP endpoint?')
  }
  if (auth.type !== 'oauth2') return
  if (challenge?.resourceMetadata !== undefined) {
    add('challenge', 'good', 'it asks for authorization, and says where its metadata is')
  } else if (challenged)
    add('challenge', 'odd', 'it asks for authorization, but its challenge does not say where its metadata is')
  else add('challenge', 'odd', 'it does not ask for authorization when a session begins; perhaps it does later')
}

/** What it speaks by its answers: anything can have the status 200. */
function erasSpoken(statuses: Probe['statuses']): { readonly modern: boolean; readonly legacy: boolean } {
  const [discover, initialize] = (['server/discover', 'initialize'] as const).map((method) => {
    const found = statuses.find(({ asked }) => asked === method)
    return { status: found?.status ?? 0, answer: found && responseIn(found) }
  })
  const result = initialize?.answer?.result
  return {
    modern:
      eraShown({ era: 'modern', method: 'server/discover' }, discover?.status ?? 0, discover?.answer) === 'modern',
    legacy: initialize?.status === 200 && isJsonObject(result) && typeof result.protocolVersion === 'string',
  }
}

function responseIn({ beginning }: ProbeStatus): JsonObject | undefined {
  if (beginning === undefined) return undefined
  const type = mediaTypeOf({ 'content-type': beginning.type })
  return type === 'json' || type === 'events' ? lastResponseIn(beginning.bytes, type) : undefined
}

function aboutOtherAuth(type: McpServer['auth']['type'], { probe }: Examination, add: Add): void {
  if (probe.kind !== 'found') return
  const { challenged } = probe.value
  if (type === 'none' && challenged) {
    add('challenge', 'bad', "it asks for authorization: auth of the type none will not do. Try { type: 'oauth2' }")
  } else if (type !== 'none' && !challenged) {
    add('challenge', 'odd', `it answers to somebody without a credential too; is auth of the type ${type} needed?`)
  } else
    add(
      'challenge',
      'good',
      challenged ? 'it asks for a credential, which has not been tried' : 'it asks for no credential',
    )
}

function aboutResource(auth: OAuth2, { resource, probe }: Examination, add: Add): void {
  const needed = auth.issuer === undefined && auth.authorizationUrl === undefined
  if (resource.kind === 'found') {
    const { url, resource: name } = resource.value
    add('resource', 'good', `its metadata is at ${presentable(url)}, and it calls itself ${presentable(name)}`)
    if (resource.value.authorizationServers.length === 0)
      add('resource', 'odd', 'its metadata names no authorization server')
    return
  }
  const failed = resource.kind === 'failed'
  const level = !needed ? 'good' : failed ? 'bad' : 'odd'
  const why = failed ? `cannot be used: ${resource.detail}` : 'is not there (RFC 9728)'
  const rest = needed ? '' : '; it is not needed, since the authorization server is configured'
  if (probe.kind === 'found' || failed) add('resource', level, `its metadata ${why}${rest}`)
}

function aboutScopes(auth: OAuth2, { probe, resource }: Examination, metadata: ServerMetadata, add: Add): void {
  if (auth.scopes !== undefined) {
    add('scopes', 'good', `asked for are the configured scopes: ${listed(auth.scopes)}`)
    return
  }
  const found = auth.issuer === undefined && auth.authorizationUrl === undefined
  const challenge = probe.kind === 'found' ? probe.value.challenge?.scopes : undefined
  const listedThere = resource.kind === 'found' ? resource.value.scopes : undefined
  const scopes = found ? chooseScopes({ challenge, resource: listedThere, authorizationServer: metadata.scopes }) : []
  if (scopes.length === 0) {
    add('scopes', 'good', 'no scopes are asked for: the authorization server decides')
    return
  }
  const source = challenge !== undefined ? 'its challenge' : 'its metadata'
  add('scopes', 'good', `asked for are the scopes of ${source}: ${listed(scopes)}`)
  if (scopes.includes(OFFLINE_ACCESS)) add('refresh', 'good', 'refresh tokens are asked for with offline_access')
}

function listed(scopes: readonly string[]): string {
  return scopes.length === 0 ? 'none' : scopes.slice(0, 20).join(' ')
}
