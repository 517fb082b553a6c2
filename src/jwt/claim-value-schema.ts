/** An accepted value of a claim, or of an argument, in a configuration. */
import { z } from 'zod'
import { claimValueProblem } from './claim-rules.ts'

/** The shape of a `ClaimValue`. */
export const claimValueSchema = z
  .union([z.string(), z.number(), z.boolean()], { error: 'expected a text, a number, true or false' })
  .superRefine((value, context) => {
    const message = claimValueProblem(value)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })
