// Where a store on the network is, from a URL or from its parts.
import { Secret } from './secret.ts';

export interface StoreAddress {
  /** With its password, if it has one. */
  readonly url: Secret;
  /** `host:port`, and the database's name where it has one, to be shown. */
  readonly shown: string;
}

const REDIS_PORT = 6379;
const POSTGRES_PORT = 5432;

/** A URL says all; host and port stand in for each other's defaults. @returns null where nothing is set: no Redis */
export function redisAddress(url: Secret, host: string, port: number | null): StoreAddress | null {
  const text = url.reveal();
  if (text === null && host === '' && port === null) return null;
  const given = text ?? `redis://${hostInUrl(host)}:${port ?? REDIS_PORT}`;
  const { hostname, port: shownPort } = new URL(given);
  return { url: new Secret(given), shown: `${hostname}:${shownPort || REDIS_PORT}` };
}

export interface PostgresParts {
  readonly host: string;
  readonly port: number | null;
  readonly name: string;
  readonly user: string;
  readonly password: Secret;
  /** null: what the driver does without one. */
  readonly sslMode: string | null;
}

/** The same for PostgreSQL; of the parts only the `sslmode` is added to a URL, where that has none. */
export function postgresAddress(url: Secret, { host, port, name, user, password, sslMode }: PostgresParts): StoreAddress | null {
  const text = url.reveal();
  if (text === null && host === '' && port === null && name === '' && user === '' && password.reveal() === null && sslMode === null) return null;
  const login = `${encodeURIComponent(user || 'postgres')}:${encodeURIComponent(password.reveal() ?? 'postgres')}`;
  const given = text ?? `postgres://${login}@${hostInUrl(host)}:${port ?? POSTGRES_PORT}/${encodeURIComponent(name || 'agent_logs')}`;
  const parsed = new URL(given);
  const { hostname, port: shownPort, pathname, searchParams } = parsed;
  const isAdded = sslMode !== null && !searchParams.has('sslmode');
  if (isAdded) searchParams.set('sslmode', sslMode);
  return { url: new Secret(isAdded ? parsed.href : given), shown: `${hostname}:${shownPort || POSTGRES_PORT}${pathname}` };
}

function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host || 'localhost';
}
