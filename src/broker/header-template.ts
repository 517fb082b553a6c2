/**
 * Values of header fields with placeholders: `Bearer {{token}}`. A value that is put in is not looked at for placeholders
 * again, so braces that are meant as such belong there, or into a secret reference; there is no way to escape them.
 */

/** A piece of a template: a text as it is, or the name of a placeholder. */
export type TemplatePart = { readonly text: string } | { readonly placeholder: string }

/** The name of a placeholder, as a key of `values`. */
const NAME = /^[A-Za-z][\w-]{0,63}$/
const PLACEHOLDER = /\{\{ *([A-Za-z][\w-]{0,63}) *\}\}/

/** The pieces of a template; braces that are no placeholder are text. */
export function parseTemplate(template: string): TemplatePart[] {
  // With one group, every other piece is a name.
  return template
    .split(PLACEHOLDER)
    .map((piece, index) => (index % 2 === 0 ? { text: piece } : { placeholder: piece }))
    .filter((part) => !('text' in part && part.text === ''))
}

/** What is wrong with a template, or `undefined`. */
export function templateProblem(template: string): string | undefined {
  // Three are how other languages of templates write something else.
  const stray = parseTemplate(template).some((part) => 'text' in part && /\{\{|\}\}/.test(part.text))
  return stray || template.includes('{{{')
    ? 'has braces that are no placeholder such as {{token}}; braces that are meant as such go into values'
    : undefined
}

/** Whether a text can name a placeholder. */
export function isPlaceholderName(text: string): boolean {
  return NAME.test(text)
}
