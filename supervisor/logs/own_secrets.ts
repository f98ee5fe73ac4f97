// The server's own secrets, which stand in no text of the log, should an agent or somebody who knows one write it down.
import type { Config } from '../../shared/config.ts';
import type { Secret } from '../../shared/secret.ts';

/** What a database has that nobody gave a password: a word that texts may have. */
const NO_SECRET = 'postgres';

/** @returns those that last as long as the server: the admin token that it was given, the passwords of its stores */
export function ownSecrets({ adminToken, redis, logging }: Pick<Config, 'adminToken' | 'redis' | 'logging'>): readonly string[] {
  const found = [adminToken.reveal(), passwordOf(redis?.url), passwordOf(logging?.postgres?.url)];
  return found.filter((secret) => secret !== null && secret !== '' && secret !== NO_SECRET) as string[];
}

/** @param url of a store, checked when it was read */
function passwordOf(url: Secret | undefined): string | null {
  const text = url?.reveal() ?? null;
  if (text === null) return null;
  const { password } = new URL(text);
  try {
    return decodeURIComponent(password);
  } catch {
    // A percent sign that encodes nothing stands for itself.
    return password;
  }
}
