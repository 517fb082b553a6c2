/** Pages that say why there is nothing else to see, with the looks of all others. */
import type { Reply } from '../http/gate.ts'
import { html } from '../pages/html.ts'
import { page } from '../pages/layout.ts'
import type { PortalParts } from './parts.ts'

type Shown = Pick<PortalParts, 'brand' | 'path'>

/** 404: it is not there, or not theirs to see. The two look alike. */
export function notFoundPage(parts: Shown): Reply {
  return message(parts, 404, 'This page does not exist', 'There is nothing here, or nothing that you may see.')
}

/** 405: only a form can do this. */
export function wrongMethodPage(parts: Shown, allow: string): Reply {
  const text = 'This address takes something else than what was sent. Start from the page with the button.'
  return message(parts, 405, 'This does not work like that', text, { allow })
}

/** 403: the form is not one of ours, for this person and this browser. */
export function foreignFormPage(parts: Shown): Reply {
  const text =
    'To be on the safe side it was stopped, and nothing has changed: the form was too old, or was not sent from a page of ours for the account that you are signed in with. Go back to the page, and try again from there. Cookies have to be allowed.'
  return message(parts, 403, 'This could not be checked', text)
}

/** 409: the form has done its work before. */
export function usedFormPage(parts: Shown, backHref: string): Reply {
  const text =
    'What you asked for was done when the form was sent for the first time. A token is shown once only: if you have not seen it, revoke it and make another.'
  return message(parts, 409, 'This form was sent already', text, {}, backHref)
}

/** 503: something that is needed does not answer. Nothing of why is said. */
export function unavailablePage(parts: Shown): Reply {
  const text = 'Something that is needed does not answer. This is often over soon: please try again in a moment.'
  return message(parts, 503, 'This is not available right now', text, { 'retry-after': '10' })
}

function message(
  { brand, path }: Shown,
  status: number,
  title: string,
  text: string,
  headers: Readonly<Record<string, string>> = {},
  backHref = path,
): Reply {
  const label = backHref === path ? 'Go to my servers' : 'Go back'
  const body = html`<p>${text}</p>
<div class="actions"><a class="button primary" href="${backHref}">${label}</a></div>`
  return page({ status, title, headers, body, ...(brand && { brand }) })
}
