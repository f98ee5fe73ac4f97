// `tokens`: makes, lists and revokes tokens, through the running server or, where none runs, in its store.
import { tokenIdOf } from '../supervisor/access/token_form.ts';
import type { Desk } from './tokens/desk.ts';
import { findDesk } from './tokens/find_desk.ts';
import type { TokenFlags } from './tokens/option_table.ts';
import { bodyOf, checkUsage, requestOf } from './tokens/options.ts';
import { tableOf } from './tokens/table.ts';

/**
 * A new token is all that stands on stdout, so that `TOKEN=$(… tokens create)` works; remarks are on stderr.
 * @param id of the token to revoke; the whole token does as well
 * @throws UsageError; errors with an `exitCode` where it cannot be done
 */
export async function tokens(action: string, id: string | undefined, flags: TokenFlags): Promise<void> {
  checkUsage(action, id, flags);
  const body = bodyOf(flags);
  const request = action === 'create' ? requestOf(body) : null;
  const desk = await findDesk({ url: flags.url, dataDir: flags.dataDir, agent: flags.agent, mayMake: request !== null });
  try {
    if (request !== null) print(await create(desk, body, request, flags.json));
    else if (action === 'list') print(await list(desk, flags.json));
    else await revoke(desk, id ?? '');
  } finally {
    await desk.close();
  }
}

async function create(desk: Desk, body: Parameters<Desk['create']>[0], request: Parameters<Desk['create']>[1], asJson: boolean): Promise<string[]> {
  const made = await desk.create(body, request);
  if (asJson) return [JSON.stringify(made)];
  const { token, id, scopes, user_id: user, expires_at: expires } = made;
  const whose = user === null ? 'of a service' : `of user ${user}`;
  remark(`token ${id} ${whose}, scopes ${scopes.join(' ')}, ${expires === null ? 'never expires' : `expires ${expires}`}; it is not shown again`);
  return [token];
}

async function list(desk: Desk, asJson: boolean): Promise<string[]> {
  const all = await desk.list();
  return asJson ? [JSON.stringify({ total: all.length, tokens: all })] : tableOf(all);
}

async function revoke(desk: Desk, idOrToken: string): Promise<void> {
  const id = tokenIdOf(idOrToken) ?? idOrToken;
  await desk.revoke(id);
  remark(`token ${id} is revoked`);
}

function print(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

function remark(text: string): void {
  process.stderr.write(`oai-agent-server: ${text.replaceAll(/\p{Cc}/gu, ' ')}\n`);
}
