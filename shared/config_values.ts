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

/** One that may also be left out. */
export const optional = <T>(schema: z.ZodType<T, string>) => z.literal('').transform(() => null).or(schema);

export interface RateLimit {
  readonly count: number;
  readonly windowMs: number;
}

const WINDOWS_MS = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
const RATE = /^([1-9]\d{0,8})\/(second|minute|hour|day)$/;

export const rateLimit = z
  .string()
  .refine((text) => text === '' || RATE.test(text), 'a limit such as 60/minute: a whole number, a slash, and second, minute, hour or day')
  .transform((text): RateLimit | null => {
    const [, count, unit] = RATE.exec(text) ?? [];
    return count === undefined ? null : { count: Number(count), windowMs: WINDOWS_MS[unit as keyof typeof WINDOWS_MS] };
  });

/** As it is written. */
export function shownRate({ count, windowMs }: RateLimit): string {
  const [unit] = Object.entries(WINDOWS_MS).find(([, ms]) => ms === windowMs) ?? [];
  return `${count}/${unit}`;
}

const address = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]);

export const cidrs = z
  .string()
  .transform((text) => text.split(',').map((part) => part.trim()).filter((part) => part !== ''))
  .refine((list) => list.every((part) => address.safeParse(part).success), 'addresses or CIDRs such as 10.0.0.0/8, separated by commas');

export const hostName = z.string().regex(/^[A-Za-z0-9.:_-]{0,255}$/, 'a host name or an address');

export const redisUrl = z
  .string()
  .refine((text) => text === '' || isRedisUrl(text), 'a URL such as redis://:password@host:6379/0')
  .transform((text) => new Secret(text === '' ? null : text));

function isRedisUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^rediss?:$/.test(url.protocol) && url.hostname !== '' && /^(\/\d*)?$/.test(url.pathname) && url.search === '' && url.hash === '';
}

/** As in a URL of PostgreSQL; null: not said. */
export const sslMode = z.enum(['', 'disable', 'require', 'verify-full'], 'disable, require or verify-full').transform((text) => (text === '' ? null : text));

export const postgresUrl = z
  .string()
  .refine((text) => text === '' || isPostgresUrl(text), 'a URL such as postgres://user:password@host:5432/agent_logs')
  .transform((text) => new Secret(text === '' ? null : text));

function isPostgresUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^postgres(ql)?:$/.test(url.protocol) && url.hostname !== '' && /^\/[^/]+$/.test(url.pathname);
}
