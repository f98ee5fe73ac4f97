// Short texts that people choose, such as ids and names: what they may be made of.
import { z } from 'zod';

// eslint-disable-next-line no-control-regex -- controls are what it is about
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** @returns the schema of a text of 1 to so many UTF-16 units, without controls and halves of characters */
export function plainText(maxLength: number) {
  const expected = `expected a string of 1–${maxLength} characters without controls`;
  return z
    .string({ error: expected })
    .refine((text) => text.length >= 1 && text.length <= maxLength && !CONTROLS.test(text) && text.isWellFormed(), expected);
}
