/**
 * Globs over what may turn out to be a path: URIs of resources, values of arguments. What a star stands for must not climb
 * out of the text before it: `file:///public/*` is not `file:///public/../secret`.
 */
import { compileGlob } from '../match/glob.ts'

/** Whether a text matches any of the globs, which must have passed `globProblem`. */
export function compilePlaceGlobs(globs: readonly string[]): (text: string) => boolean {
  const compiled = globs.map((glob) => {
    const fits = compileGlob(glob)
    // Written out in full, or nothing in front to climb out of.
    return !glob.includes('*') || /^\*+$/.test(glob) ? fits : (text: string) => fits(text) && !STEP_UP.test(text)
  })
  return (text) => compiled.some((fits) => fits(text))
}

/** `..` as a segment of a path; slashes, backslashes, dots and what may follow also percent-encoded, once or several times (RFC 3986 §3.3). */
const STEP_UP = /(?:^|[/\\:=]|%(?:25)*(?:2f|5c|3a|3d))(?:\.|%(?:25)*2e){2}(?=$|[/\\?#;]|%(?:25)*(?:2f|5c|3f|23|3b|00))/i
