/** Whose a connection is, in words: a person or a virtual account, as far as they are known. */
import { type Html, html } from '../pages/html.ts'
import type { ConnectionOwner, PortalGateway } from './parts.ts'

/** See the top of the file. */
export function ownerText({ id, virtualAccount, email, subject, integration }: ConnectionOwner): Html {
  if (virtualAccount !== undefined)
    return html`<bdi>${virtualAccount}</bdi> <span class="hushed">virtual account</span>`
  const name = email ?? subject
  if (name === undefined)
    return html`<span class="hushed">somebody who is not known any more</span> <code>${id.slice(0, 8)}</code>`
  return html`<bdi>${name}</bdi> <span class="hushed">${integration}</span>`
}

/** The owners with these ids; of those that nobody knows any more, the id. */
export async function ownersOf(
  { virtualAccounts, people }: Pick<PortalGateway, 'virtualAccounts' | 'people'>,
  ids: ReadonlySet<string>,
): Promise<ReadonlyMap<string, ConnectionOwner>> {
  const accounts = new Map((await virtualAccounts.list()).map(({ id, name }) => [id, name]))
  const owners = [...ids].map(async (id): Promise<ConnectionOwner> => {
    const virtualAccount = accounts.get(id)
    if (virtualAccount !== undefined) return { id, virtualAccount }
    return { ...(await people.get(id)), id }
  })
  return new Map((await Promise.all(owners)).map((owner) => [owner.id, owner]))
}
