/** The one script of the pages. All of them work without it; it copies, and notices what another tab has changed. */
import { type Html, html } from '../pages/html.ts'

/** The script element. */
export function scriptElement(nonce: string): Html {
  return html`<script nonce="${nonce}">
(() => {
  const said = document.getElementById('said')
  const say = (text) => { if (said) said.textContent = text }

  for (const button of document.querySelectorAll('button[data-copy]')) {
    const source = document.getElementById(button.dataset.copy)
    const label = button.textContent
    if (!source) continue
    button.hidden = false
    button.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(source.textContent)
        button.textContent = 'Copied'
        say('Copied')
        setTimeout(() => { button.textContent = label; say('') }, 2000)
      } catch {
        getSelection().selectAllChildren(source)
        say('Selected: press Ctrl+C to copy')
      }
    })
  }

  const watched = document.querySelector('[data-state]')
  if (watched) {
    const until = Date.now() + 30 * 60000
    let asking = false
    let leaving = false
    const look = async () => {
      if (asking || leaving || document.visibilityState !== 'visible' || Date.now() > until) return
      asking = true
      try {
        const answer = await fetch(watched.dataset.stateUrl, { cache: 'no-store', headers: { accept: 'application/json' } })
        if (answer.ok && (await answer.json()).state !== watched.dataset.state && !leaving) location.reload()
      } catch {
      } finally {
        asking = false
      }
    }
    document.addEventListener('visibilitychange', look)
    addEventListener('focus', look)
    // A reload would take back what was just pressed.
    addEventListener('beforeunload', () => { leaving = true })
    addEventListener('pageshow', () => { leaving = false })
    setInterval(look, 5000)
  }
})()
</script>
`
}
