// Why a database cannot be used, in words that give nothing away.
import pg from 'pg';
import t from 'tap';
import { UnusableDatabase } from '../../../worker/logs/log_store.ts';
import { driverUrl } from '../../../worker/logs/postgres_link.ts';
import { whyUnreachable } from '../../../worker/logs/unreachable.ts';

const answered = (code: string, message: string): pg.DatabaseError => Object.assign(new pg.DatabaseError(message, message.length, 'error'), { code });
const failed = (code: string): Error => Object.assign(new Error(`secret ${code}`), { code });

t.test('what is known is said in words, what is not by its code, and no message of the server\'s is passed on', async (t) => {
  const cases: readonly (readonly [unknown, string])[] = [
    [failed('ECONNREFUSED'), 'the connection was refused'],
    [new AggregateError([failed('ECONNRESET'), failed('ECONNREFUSED')]), 'the connection was refused'],
    [failed('CERT_HAS_EXPIRED'), 'the connection failed with CERT_HAS_EXPIRED'],
    [new Error('timeout exceeded when trying to connect'), 'no answer in time'],
    [new Error('Query read timeout'), 'no answer in time'],
    [new Error('Connection terminated unexpectedly'), 'the connection was lost'],
    [answered('28P01', 'password authentication failed for user "secret"'), 'the user or password was refused'],
    [answered('28000', 'no pg_hba.conf entry for host "secret", no encryption'), 'the user may not connect from here, or not without TLS'],
    [answered('53100', 'could not extend file "secret"'), 'it is short of disk, memory or connections'],
    [answered('42501', 'permission denied for schema public'), 'the user lacks a privilege there: permission denied for schema public'],
    [answered('42501', 'new row violates row-level security: (secret)'), 'the user lacks a privilege there'],
    [answered('22007', 'invalid input syntax: "secret"'), 'PostgreSQL answered with the error 22007'],
    [Object.assign(new Error('secret'), { code: 'ERR_SQLITE_ERROR', errcode: 11, errstr: 'it is malformed' }), 'it is malformed'],
    [new UnusableDatabase('its encoding is LATIN1, and must be UTF8'), 'its encoding is LATIN1, and must be UTF8'],
    [new RangeError('secret'), 'the connection failed with RangeError'],
    ['secret', 'unknown error'],
  ];
  for (const [error, words] of cases) t.equal(whyUnreachable(error), words);
});

t.test('a URL goes to the driver such that a certificate is verified where TLS is asked for, unless the URL says otherwise', async (t) => {
  const base = 'postgres://u:p%40ss@h:5432/d';
  t.equal(driverUrl(base), base);
  t.equal(driverUrl(`${base}?sslmode=require`), `${base}?sslmode=verify-full`);
  t.equal(driverUrl(`${base}?sslmode=prefer&sslrootcert=/a`), `${base}?sslmode=verify-full&sslrootcert=%2Fa`);
  for (const query of ['sslmode=disable', 'sslmode=verify-full', 'sslmode=no-verify', 'uselibpqcompat=true&sslmode=require']) {
    t.equal(driverUrl(`${base}?${query}`), `${base}?${query}`);
  }
});
