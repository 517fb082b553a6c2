/** What answers of token endpoints mean for a refresh token. */
import { describe, expect, it } from 'vitest'
import { classifyTokenError, failureOf, RedeemError } from '../../src/store/redeem-error.ts'
import { cpuMs } from '../support/cpu-time.ts'

describe('B1 G9 classification of token endpoint errors', () => {
  it.each<[string, number, unknown]>([
    ['invalid_grant', 400, { error: 'invalid_grant' }],
    ['invalid_grant with 401', 401, { error: 'invalid_grant' }],
    ["GitHub's bad_refresh_token with status 200", 200, { error: 'bad_refresh_token' }],
    [
      'invalid_request that means the refresh token',
      400,
      { error: 'invalid_request', error_description: 'The refresh token is expired.' },
    ],
    [
      'invalid_request in other words',
      400,
      { error: 'invalid_request', error_description: 'refresh_token has already been used' },
    ],
    ["Entra's interaction_required", 400, { error: 'interaction_required', error_description: 'AADSTS50079: enroll' }],
    ["Entra's login_required", 400, { error: 'login_required' }],
    ["Entra's consent_required", 400, { error: 'consent_required' }],
    ['an unknown refresh token', 400, { error: 'invalid_request', error_description: 'Unknown refresh token' }],
  ])('%s is a dead refresh token', (_, status, body) => expect(classifyTokenError(status, body)).toBe('dead'))

  it.each<[string, number, unknown]>([
    ['invalid_client', 401, { error: 'invalid_client' }],
    ['unauthorized_client', 400, { error: 'unauthorized_client' }],
    ['invalid_scope', 400, { error: 'invalid_scope' }],
    ['an error with status 200', 200, { error: 'incorrect_client_credentials' }],
    ['invalid_request about something else', 400, { error: 'invalid_request', error_description: 'Unknown resource' }],
    ['a 404 page', 404, undefined],
    ['a 403 without JSON', 403, undefined],
    ['a 400 with nonsense', 400, ['x']],
  ])('%s is no verdict on the refresh token', (_, status, body) =>
    expect(classifyTokenError(status, body)).toBe('rejected'),
  )

  it.each<[string, number, unknown]>([
    ['500', 500, undefined],
    ['503 with JSON', 503, { error: 'temporarily_unavailable' }],
    ['502 with HTML', 502, undefined],
    ['429', 429, { error: 'rate_limited' }],
    ['408', 408, undefined],
    ['400 temporarily_unavailable', 400, { error: 'temporarily_unavailable' }],
    ['200 with nonsense', 200, undefined],
    ['200 with null', 200, null],
    ['500 with an error code', 500, { error: 'server_error' }],
  ])('%s is transient', (_, status, body) => expect(classifyTokenError(status, body)).toBe('transient'))

  it('whatever else is thrown is transient', () => {
    expect(failureOf(new TypeError('fetch failed'))).toBe('transient')
    expect(failureOf('text')).toBe('transient')
    expect(failureOf(new RedeemError('dead', 'invalid_grant'))).toBe('dead')
  })

  it('a description as long as it likes is looked at in no time', () => {
    const description = `refresh token ${'refresh token'.repeat(20_000)}`
    const ms = cpuMs(() => {
      classifyTokenError(400, { error: 'invalid_request', error_description: description })
    })
    expect(ms).toBeLessThan(500)
  })
})
