/** What people see of an identity provider: its sign-in form, and its way out. */
import { PEOPLE } from '../people.ts'
import { documentOf, escaped } from './html.ts'

const ACCENT = '#0f6e5c'

/** The form. `wrong` is the name that somebody has tried with a wrong password. */
export function signInForm(provider: string, action: string, wrong?: string): string {
  return documentOf(
    `Sign in – ${provider}`,
    ACCENT,
    `<p class="quiet">${escaped(provider)}, an identity provider</p>
<h1>Sign in</h1>
${wrong === undefined ? '' : '<p class="alert" role="alert">That name and password do not go together.</p>'}
<form method="post" action="${escaped(action)}">
<label>Name <input name="name" value="${escaped(wrong ?? '')}" autocomplete="username" autocapitalize="none" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<p class="actions">
<button class="primary">Sign in</button>
<button name="cancel" value="yes" formnovalidate>Cancel</button>
</p>
</form>
<p class="quiet">Test accounts: ${Object.keys(PEOPLE).join(', ')}. Their password is in the demo’s output.</p>`,
  )
}

/** Something to read, without a way on. */
export function notice(provider: string, title: string, text: string): string {
  return documentOf(
    `${title} – ${provider}`,
    ACCENT,
    `<p class="quiet">${escaped(provider)}, an identity provider</p>
<h1>${escaped(title)}</h1>
<p>${escaped(text)}</p>`,
  )
}

/** Sends `form`, which is oidc-provider's, without asking: whoever comes here has just pressed "Sign out". */
export function signingOut(provider: string, form: string): string {
  return documentOf(
    `Signing out – ${provider}`,
    ACCENT,
    `<h1>Signing out</h1>
${form.replace('</form>', '<p class="actions"><button class="primary" name="logout" value="yes">Sign out</button></p></form>')}
<script>document.querySelector('button').click()</script>`,
  )
}
