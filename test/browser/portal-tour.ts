/** A walk past every page of the gateway's own, on the ways that lead there, with every button pressed once. */

import type { PortalWorld } from '../portal/portal-world.ts'
import type { Page } from '../support/browser.ts'
import { giveName, press, see } from './steps.ts'

/** Signs somebody in, and arrives at the first page. */
export async function enter(page: Page, world: PortalWorld, name: string): Promise<void> {
  await page.goto(world.page())
  await giveName(page, name)
  await page.waitForURL(world.page())
}

/** Agrees at the authorization server of the notes, where nobody is signed in yet. */
export async function agreeAtService(page: Page, name: string): Promise<void> {
  await press(page, 'Connect')
  await giveName(page, name)
}

/** Presses a button by its whole name, as a screen reader says it: "Connect Notes". */
export function pressButton(page: Page, name: string): Promise<void> {
  return page.click(`role=button[name=${JSON.stringify(name)}]`)
}

/** The same for a link, which may look like a button. */
export function pressLink(page: Page, name: string): Promise<void> {
  return page.click(`role=link[name=${JSON.stringify(name)}]`)
}

/** Calls `stop` on each page, under its name. It must leave the page where it is. */
export async function portalTour(
  world: PortalWorld,
  page: Page,
  stop: (name: string, page: Page) => Promise<void>,
): Promise<void> {
  await enter(page, world, 'root')
  await see(page, 'My MCP servers')
  await stop('servers', page)
  await pressButton(page, 'Connect Notes')
  await see(page, 'Connect Notes')
  await stop('consent', page)
  await agreeAtService(page, 'root')
  await see(page, 'My MCP servers')
  await page.waitForSelector('.badge:text-is("Connected")')
  await stop('servers-connected', page)
  await pressLink(page, 'Set up a client for Notes')
  await see(page, 'Set up a client for Notes')
  await stop('client-setup', page)

  await press(page, 'Make a token with these settings filled in')
  await see(page, 'My access tokens')
  await stop('tokens-none', page)
  await page.fill('#name', 'agent on my laptop')
  await press(page, 'Make the token')
  await see(page, 'Your token is ready')
  await stop('token-made', page)
  await press(page, 'I have copied it')
  await see(page, 'My access tokens')
  await stop('tokens', page)
  await pressLink(page, 'Revoke agent on my laptop')
  await see(page, 'Revoke this token?')
  await stop('token-revoke', page)

  await press(page, 'Virtual servers')
  await see(page, 'My virtual servers')
  await stop('virtual', page)

  await press(page, 'My virtual accounts')
  await see(page, 'My virtual accounts')
  await stop('own-accounts', page)
  await pressButton(page, 'Connect Notes')
  await see(page, 'Connect Notes')
  // Signed in there since the first time.
  await press(page, 'Connect')
  await see(page, 'My virtual accounts')
  await pressLink(page, 'Revoke Notes')
  await see(page, 'Revoke the connection to Notes?')
  await press(page, 'Revoke')
  await see(page, 'My virtual accounts')

  await press(page, 'Administration')
  await see(page, 'Virtual accounts')
  await stop('admin-accounts', page)
  await press(page, 'ci')
  await see(page, 'ci')
  await page.fill('#name', 'nightly build')
  await press(page, 'Make the key')
  await see(page, 'The key is ready')
  await press(page, 'I have copied it')
  await see(page, 'ci')
  await stop('admin-account', page)
  await press(page, 'Who may use what')
  await page.fill('#who', 'root@example.com')
  await press(page, 'Explain')
  await see(page, 'Who may use what')
  await stop('admin-access', page)
  await press(page, 'Connections')
  await see(page, 'Connections')
  await stop('admin-connections', page)
  await press(page, 'Latest events')
  await see(page, 'Latest events')
  await stop('admin-audit', page)
  await press(page, 'Checks')
  await see(page, 'Check a server')
  await press(page, 'Check it')
  await page.waitForSelector('#findings')
  await stop('admin-checks', page)

  await page.goto(world.page())
  await pressLink(page, 'Revoke Notes')
  await see(page, 'Revoke the connection to Notes?')
  await stop('revoke', page)
  await press(page, 'Revoke')
  await see(page, 'My MCP servers')
  await stop('servers-revoked', page)

  await page.goto(world.page('/nothing'))
  await see(page, 'This page does not exist')
  await stop('not-found', page)
}
