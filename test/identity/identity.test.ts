import { describe, expect, it } from 'vitest'
import { identityId } from '../../src/identity/identity.ts'

describe('G22 an identity', () => {
  it('is the same for the same issuer and subject', () => {
    expect(identityId('https://login.example.com/', 'ann')).toBe(identityId('https://login.example.com/', 'ann'))
  })

  it('has 43 characters of base64url that say nothing of the person', () => {
    const id = identityId('https://login.example.com/', 'ann@example.com')
    expect(id).toMatch(/^[\w-]{43}$/)
    expect(Buffer.from(id, 'base64url').toString('latin1')).not.toContain('ann')
  })

  it('stays what it was: stored records hang on it', () => {
    expect(identityId('https://login.example.com/', 'ann')).toBe('3A14YPLA8832dnb1qWNQYOtdqVEUTIAiWiR4HdPaYsI')
  })

  const pairs: [string, string][] = [
    ['https://a.example/', 'x'],
    ['https://a.example', '/x'],
    ['https://a.example/x', ''],
    ['', 'https://a.example/x'],
    ['https://a.example/","', 'x'],
    ['https://a.example/', '","x'],
    ['https://a.example/', 'X'],
    ['https://a.example/', ' x'],
    ['https://a.example/', 'x\0'],
    ['https://a.example/', 'é'],
    ['https://a.example/', 'e\u0301'],
    ['https://a.example/', '\ud800'],
    ['https://a.example/', '\ud801'],
    ['https://a.example/', '\ufffd'],
  ]
  it('differs wherever issuer or subject differ, however they are cut', () => {
    expect(new Set(pairs.map(([issuer, subject]) => identityId(issuer, subject))).size).toBe(pairs.length)
  })
})
