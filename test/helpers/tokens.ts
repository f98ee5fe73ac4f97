// Tokens for tests: made by the admin of a running server, and sent along.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { send } from './http_client.ts';
import type { StartedServer } from './process.ts';

export interface MintedToken {
  readonly id: string;
  readonly token: string;
}

export const bearer = (token: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${token}` });

export async function adminTokenOf({ dataDir }: Pick<StartedServer, 'dataDir'>): Promise<string> {
  return (await readFile(join(dataDir, 'admin-token'), 'utf8')).trim();
}

export async function mint(server: Pick<StartedServer, 'url' | 'dataDir'>, body: Readonly<Record<string, unknown>>): Promise<MintedToken> {
  const headers = bearer(await adminTokenOf(server));
  const { status, json, text } = await send(server.url, '/tokens', { method: 'POST', headers, body });
  if (status !== 201) throw new Error(`no token was made: ${text}`);
  return json as unknown as MintedToken;
}

export async function revoke(server: Pick<StartedServer, 'url' | 'dataDir'>, id: string): Promise<void> {
  const headers = bearer(await adminTokenOf(server));
  const { status, text } = await send(server.url, `/tokens/${id}`, { method: 'DELETE', headers });
  if (status !== 204) throw new Error(`the token was not revoked: ${text}`);
}
