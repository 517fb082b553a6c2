/** What the little application shows, the same on every server. It knows nothing of signing in but `authOf`. */
import type { Auth } from 'sallyport'

/** The page at every path that has no other: who is there, and what one can do. */
export function homePage(auth: Auth | undefined, url: string): string {
  return page(
    `Hello ${nameOf(auth)}`,
    `<p>You are at <code id="url">${escaped(url)}</code>.</p>
<p><a id="sign-out" href="/.sallyport/sign-out">Sign out</a> <a id="admin" href="/admin">Administration</a></p>
<p><button id="ask" type="button">Who am I?</button> <output id="status"></output> <output id="answer"></output></p>
<form method="post" action="/orders"><label>Item <input id="item" name="item"></label> <button id="order">Order</button></form>
<script>
document.getElementById('ask').addEventListener('click', async () => {
  const answer = await fetch('/api/me')
  document.getElementById('answer').textContent = await answer.text()
  document.getElementById('status').textContent = answer.status + (answer.redirected ? ' redirected' : '')
})
</script>`,
  )
}

/** The page at `/admin`. */
export function adminPage(auth: Auth | undefined): string {
  return page('Administration', `<p>Only for the likes of ${escaped(nameOf(auth))}.</p>`)
}

/** What a form posted to `/orders` is answered with. */
export function orderPage(item: unknown): string {
  return page('Ordered', `<p id="item">${escaped(String(item))}</p>`)
}

/** The answer of `/api/me`. */
export function me(auth: Auth | undefined): { subject: string | null; type: string | null } {
  return { subject: auth?.subject ?? null, type: auth?.type ?? null }
}

function nameOf(auth: Auth | undefined): string {
  const name = auth?.claims?.name
  return typeof name === 'string' ? name : 'nobody'
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>${escaped(title)}</title><link rel="icon" href="data:,">
<h1>${escaped(title)}</h1>
${body}
</html>`
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
}
