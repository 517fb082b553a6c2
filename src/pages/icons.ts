/** The drawings on the pages. They say nothing that the text does not, so that screen readers pass over them. */
import { html } from './html.ts'

/** A gate: what stands where a brand has no logo. */
export const gateIcon = html`<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M4 21V4.5h3.25v2.75h3.1V4.5h3.3v2.75h3.1V4.5H20V21M9 21v-5.5a3 3 0 0 1 6 0V21M2.5 21h19"/></svg>`

/** The same for the browser's tab, which would ask the application for one otherwise. */
export const tabIcon = html`<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='%23737c8c' stroke-width='2' stroke-linecap='round' stroke-linejoin='round'%3E%3Cpath d='M4 21V4.5h3.25v2.75h3.1V4.5h3.3v2.75h3.1V4.5H20V21M9 21v-5.5a3 3 0 0 1 6 0V21M2.5 21h19'/%3E%3C/svg%3E">`

/** On a choice: this leads on. */
export const onwardIcon = html`<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="m9 5 7 7-7 7"/></svg>`
