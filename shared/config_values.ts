// What a flag or a variable may be: each schema takes its text, and says what was expected.
import { z } from 'zod';
import { Secret } from './secret.ts';

export const DAY_S = 86_400;

/** A whole number written in decimal digits: no sign, no exponent, no spaces. */
export const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, `a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((n) => n >= min && n <= max, `a whole number from ${min} to ${max}`);

/** A decimal number, such as 0.5. */
export const decimal = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,12}(\.\d{1,9})?$/, `a number from ${min} to ${max}`)
    .transform(Number)
    .refine((n) => n >= min && n <= max, `a number from ${min} to ${max}`);

export const seconds = (min: number, max: number) => decimal(min, max).transform((s) => Math.round(s * 1000));

export const flag = z
  .string()
  .transform((text) => text.toLowerCase())
  .refine((text) => ['true', 'false', '1', '0', 'yes', 'no', 'on', 'off'].includes(text), 'true or false')
  .transform((text) => ['true', '1', 'yes', 'on'].includes(text));

export const origins = z
  .string()
  .transform((text) => text.split(',').map((origin) => origin.trim()).filter((origin) => origin !== ''))
  .refine((list) => list.every(isOrigin), 'origins such as https://app.example.org, separated by commas, or *');

function isOrigin(text: string): boolean {
  if (text === '*') return true;
  return URL.canParse(text) && new URL(text).origin === text && !text.includes('*');
}

/** What can stand in a header field as it is. */
export const adminToken = z
  .string()
  .regex(/^([\x21-\x7e]{16,256})?$/, 'from 16 to 256 characters of ASCII without spaces')
  .transform((text) => new Secret(text === '' ? null : text));
