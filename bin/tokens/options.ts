// The words of `tokens`: which action takes which option, and what a new token is asked to be by them.
import { AppError } from '../../shared/errors.ts';
import { parseTokenRequest, type TokenRequest } from '../../supervisor/access/token_request.ts';
import { UsageError } from '../failure.ts';
import { TOKEN_OPTIONS, type TokenFlags } from './option_table.ts';

export const ACTIONS = ['create', 'list', 'revoke'] as const;
export type Action = (typeof ACTIONS)[number];

/** Beside those that say where the tokens are. */
const TAKEN: Readonly<Record<Action, readonly (keyof TokenFlags)[]>> = {
  create: ['userId', 'scopes', 'name', 'ttl', 'json'], list: ['json'], revoke: [],
};
const OPTION_OF_FIELD: Readonly<Record<string, string>> = { user_id: '--user-id', scopes: '--scopes', name: '--name', ttl_seconds: '--ttl' };
const UNITS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };

/** @throws UsageError where the action, its id or one of its options is not as it has to be */
export function checkUsage(action: string, id: string | undefined, flags: TokenFlags): asserts action is Action {
  if (!(ACTIONS as readonly string[]).includes(action)) {
    throw new UsageError(`tokens: expected create, list or revoke, got ${JSON.stringify(action)}`);
  }
  const known = action as Action;
  if (known === 'revoke' && id === undefined) throw new UsageError('tokens revoke: expected the id of a token, as tokens list shows it');
  if (known !== 'revoke' && id !== undefined) throw new UsageError(`tokens ${known}: expected options only, got ${JSON.stringify(id)}`);
  const { url: _url, dataDir: _dataDir, agent: _agent, json, ...others } = flags;
  const given = [...Object.keys(others), ...(json ? ['json'] : [])] as (keyof TokenFlags)[];
  const odd = given.find((name) => !TAKEN[known].includes(name));
  if (odd !== undefined) throw new UsageError(`tokens ${known}: ${TOKEN_OPTIONS[odd].flag.split(' ')[0]} is an option of another action`);
}

/** @returns the body of POST /tokens @throws UsageError */
export function bodyOf({ userId, scopes, name, ttl }: TokenFlags): Readonly<Record<string, unknown>> {
  const ttlSeconds = ttl === undefined ? undefined : secondsOf(ttl);
  return { scopes: scopes ?? ['chat'], user_id: userId, name, ttl_seconds: ttlSeconds };
}

/** The same check that a server makes, in the words of the command line. @throws UsageError */
export function requestOf(body: Readonly<Record<string, unknown>>): TokenRequest {
  try {
    return parseTokenRequest(Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)));
  } catch (error) {
    const [first] = error instanceof AppError ? (error.details.errors ?? []) : [];
    if (first === undefined) throw error;
    const field = first.path.split('.')[0] ?? '';
    throw new UsageError(`${OPTION_OF_FIELD[field] ?? field}: ${first.message}`);
  }
}

function secondsOf(text: string): number {
  const [, amount, unit = ''] = /^(\d{1,12})([smhd]?)$/.exec(text) ?? [];
  if (amount === undefined) throw new UsageError(`--ttl: expected a time such as 3600, 90s, 15m, 12h or 30d, got ${JSON.stringify(text)}`);
  return Number(amount) * (UNITS[unit] ?? 1);
}
