// Why a database cannot be used, in words that hold neither a credential nor anything of a record.
import { UnusableDatabase } from './log_store.ts';

/** What the operating system says, and what pg and Node say without a code of their own. */
const SYSTEM: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was lost',
  EPIPE: 'the connection was lost',
  ETIMEDOUT: 'no answer in time',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the host cannot be reached',
  ENOTFOUND: 'the host\'s name is not known',
  EAI_AGAIN: 'the host\'s name is not known',
  EACCES: 'a file cannot be opened: no permission',
  ENOENT: 'a file that is named does not exist',
  ENOSPC: 'the disk is full',
};

/** SQLSTATE, of which the first two characters are the class (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const POSTGRES: Readonly<Record<string, string>> = {
  // Whoever is refused before a password is looked at: pg_hba.conf says so, of the address, the user, the database, or of a connection without TLS.
  '28000': 'the user may not connect from here, or not without TLS',
  '28': 'the user or password was refused',
  '3D000': 'the database does not exist',
  '53': 'it is short of disk, memory or connections',
  '25P03': 'a transaction was left alone for too long',
  '55P03': 'a lock was not given in time',
  '57014': 'a statement took too long',
  '57P01': 'it is shutting down',
  '57P02': 'it has crashed',
  '57P03': 'it is starting',
  '42501': 'the user lacks a privilege there',
  '25006': 'it is read-only',
};

/** What PostgreSQL says of a privilege, where it says it in English: names of its objects, and nothing of a record. */
const PRIVILEGE = /^(permission denied (for|to)|must be owner of) [\w $."-]{1,150}$/;

/** What pg says of connections, which has no code. */
const LOST = /terminated|ended|closed|Socket/i;
const LATE = /timeout|timed out/i;

/** @returns one clause, without a full stop */
export function whyUnreachable(error: unknown): string {
  // Where a name has several addresses, each has its own error.
  const cause = error instanceof AggregateError && error.errors.length > 0 ? (error.errors.at(-1) as unknown) : error;
  if (!(cause instanceof Error)) return 'unknown error';
  if (cause instanceof UnusableDatabase) return cause.message;
  const { code = '', errcode, errstr, message } = cause as Error & { readonly code?: string; readonly errcode?: number; readonly errstr?: string };
  if (errcode !== undefined) return errstr ?? `SQLite answered with the error ${errcode}`;
  const known = SYSTEM[code] ?? POSTGRES[code] ?? POSTGRES[code.slice(0, 2)];
  if (code === '42501' && PRIVILEGE.test(message)) return `${known}: ${message}`;
  if (known !== undefined) return known;
  if (/^[0-9A-Z]{5}$/.test(code)) return `PostgreSQL answered with the error ${code}`;
  // TLS and the like; only their codes are known to hold nothing that is secret.
  if (code !== '') return `the connection failed with ${code}`;
  if (LATE.test(message)) return 'no answer in time';
  if (LOST.test(message)) return 'the connection was lost';
  return message.startsWith('The server does not support SSL') ? 'it does not speak TLS' : `the connection failed with ${cause.name}`;
}
