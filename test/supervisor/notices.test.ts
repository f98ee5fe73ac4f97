// What a start says of the tokens: how many there are, where that is known, and the admin token to nobody but a person.
import t from 'tap';
import { parseConfig } from '../../shared/config.ts';
import type { AgentFacts } from '../../shared/protocol.ts';
import { Secret } from '../../shared/secret.ts';
import { configWarnings, startNotices, type TokenNotice } from '../../supervisor/notices.ts';

const FACTS = { model: null, warnings: [] } as unknown as AgentFacts;

function noticesOf(env: Readonly<Record<string, string>>, notice: Partial<TokenNotice> = {}): string[] {
  const config = parseConfig('a', 'a', {}, env, { parallelism: 1, memoryMb: 1024 }, false);
  const adminToken = { digest: new Uint8Array(32), place: 'data/admin-token', made: new Secret('the-secret') };
  return startNotices(config, FACTS, [], { count: 3, adminToken, isTerminal: false, ...notice });
}

const tokensLine = (notice: Partial<TokenNotice>, env: Readonly<Record<string, string>> = {}): string | undefined =>
  noticesOf(env, notice).find((line) => line.startsWith('tokens: '));

t.test('their number and where the admin token is; the token itself to a terminal only', async (t) => {
  t.equal(tokensLine({}), 'tokens: 3; the admin token is in data/admin-token (OAI_ADMIN_TOKEN)');
  t.equal(tokensLine({ isTerminal: true }), 'tokens: 3; the admin token is in data/admin-token (OAI_ADMIN_TOKEN): the-secret');
});

t.test('where their store is away, their number is not known', async (t) => {
  t.match(tokensLine({ count: null }), /^tokens: how many is not known, as their store does not answer; the admin token is in /);
});

t.test('where idle connections are kept for as long as a stop may take, it is warned of that', async (t) => {
  const linesOf = (env: Readonly<Record<string, string>>): string[] => {
    const config = parseConfig('a', 'a', {}, env, { parallelism: 1, memoryMb: 1024 }, false);
    return configWarnings(config);
  };
  t.match(linesOf({ KEEP_ALIVE_SECONDS: '25' }), [/^KEEP_ALIVE_SECONDS=25 is not below DRAIN_TIMEOUT_SECONDS=25, so a stop waits for idle connections/]);
  t.strictSame(linesOf({ KEEP_ALIVE_SECONDS: '75', DRAIN_TIMEOUT_SECONDS: '90' }), []);
});

t.test('a database that is named for the log, and not used', async (t) => {
  const lineOf = (env: Readonly<Record<string, string>>): string | undefined => noticesOf({ LOGGING_DB_URL: 'postgres://ada:secret@db.test/logs', ...env }).find((line) => line.startsWith('log: '));
  t.equal(lineOf({}), 'log: none of the interactions, though a PostgreSQL is named, at db.test:5432/logs (DB_LOGGING_ENABLED)');
  t.equal(lineOf({ DB_LOGGING_ENABLED: 'true' }), 'log: PostgreSQL at db.test:5432/logs (LOGGING_DB_URL)');
});

t.test('nothing of them where nobody is asked for one', async (t) => {
  t.equal(tokensLine({}, { AGENT_AUTH_ENABLED: 'false' }), undefined);
});
