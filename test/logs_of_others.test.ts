// The log as callers with tokens see it, with either database: with the scope logs their own rows and figures, and of anybody else's nothing.
import t, { type Test } from 'tap';
import { chat, send, type Answer, type Json } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { connected, eachDatabase, rowOf, serveLogging, type LogDatabase, type LoggingServer } from './helpers/logging_server.ts';
import { bearer, mint } from './helpers/tokens.ts';

type Headers = Readonly<Record<string, string>>;

interface Asker {
  readonly name: string;
  readonly headers: Headers;
  readonly sessionId: string;
  readonly interactionId: string;
}

/** Has asked twice in a session of its own, and its rows are there. */
async function asker(server: LoggingServer, name: string, token: Json): Promise<Asker> {
  const headers = bearer((await mint(server, token)).token);
  const sessionId = `of ${name}`;
  const ids: string[] = [];
  for (const message of [`say ${name}`, `say again ${name}`]) {
    const { status, json, text } = await chat(server.url, { message, session_id: sessionId }, headers);
    if (status !== 200) throw new Error(text);
    ids.push(String(json['interaction_id']));
  }
  for (const id of ids) await rowOf(server, id);
  return { name, headers, sessionId, interactionId: ids[0] ?? '' };
}

/** What each route of the log is to tell `own` of itself, and of `other`. */
const ROUTES: Readonly<Record<string, (t: Test, ask: (path: string) => Promise<Answer>, own: Asker, other: Asker) => Promise<void>>> = {
  async '/logs'(t, ask, own, other) {
    for (const query of ['', `?limit=1000&offset=0`, `?user_id=${own.name}`]) {
      const { json } = await ask(`/logs${query}`);
      t.match(json, { total: 2, logs: [{ session_id: own.sessionId }, { session_id: own.sessionId }] }, query);
    }
    for (const query of [`session_id=${encodeURIComponent(other.sessionId)}`, `user_id=${other.name}`]) {
      t.match((await ask(`/logs?${query}`)).json, { total: 0, logs: [] }, query);
    }
    for (const format of ['csv', 'jsonl']) {
      const { text } = await ask(`/logs?format=${format}`);
      t.ok(text.includes(own.interactionId) && !text.includes(other.interactionId) && !text.includes(other.sessionId), format);
    }
  },
  async '/logs/sessions/{session_id}'(t, ask, own, other) {
    t.match(await ask(`/logs/sessions/${encodeURIComponent(own.sessionId)}`), { status: 200, json: { total: 2 } });
    t.match(await ask(`/logs/sessions/${encodeURIComponent(other.sessionId)}`), { status: 404, json: { code: 'SESSION_NOT_FOUND' } });
  },
  async '/logs/interactions/{interaction_id}'(t, ask, own, other) {
    t.match(await ask(`/logs/interactions/${own.interactionId}`), { status: 200, json: { interaction_id: own.interactionId } });
    t.match(await ask(`/logs/interactions/${other.interactionId}`), { status: 404, json: { code: 'INTERACTION_NOT_FOUND' } });
  },
  async '/logs/stats'(t, ask, _own, other) {
    t.match((await ask('/logs/stats')).json, { statistics: { total_interactions: 2, unique_sessions: 1, unique_users: 1, by_day: [{ interactions: 2 }] } });
    t.match((await ask(`/logs/stats?user_id=${other.name}`)).json, { statistics: { total_interactions: 0, unique_sessions: 0, unique_users: 0 } });
  },
  async '/logs/stats/users'(t, ask, own, other) {
    const { json } = await ask('/logs/stats/users');
    t.match(json['user_statistics'], [{ user_id: own.name, total_interactions: 2 }]);
    t.equal((json['user_statistics'] as unknown[]).length, 1);
    t.strictSame((await ask(`/logs/stats/users?user_id=${other.name}`)).json['user_statistics'], []);
  },
};

t.test('another user\'s', (t) => eachDatabase(t, async (t: Test, database: LogDatabase) => {
  const server = await serveLogging(t, 'puppet', database);
  await connected(server);
  const { paths } = (await send(server.url, '/openapi.json')).json as unknown as { paths: Json };
  t.strictSame(Object.keys(paths).filter((path) => path.startsWith('/logs')).toSorted(), Object.keys(ROUTES).toSorted(), 'all routes of the log are asked');
  const ada = await asker(server, 'ada', { scopes: ['chat', 'logs'], user_id: 'ada' });
  const bob = await asker(server, 'bob', { scopes: ['chat', 'logs'], user_id: 'bob' });
  // Names its user in no request: all of them are the default one, which is not what its rows are found by.
  const service = await asker(server, 'user', { scopes: ['chat', 'logs'] });
  for (const [own, other] of [[ada, bob], [bob, ada], [service, ada], [ada, service]] as const) {
    const ask = (path: string): Promise<Answer> => send(server.url, path, { headers: own.headers });
    for (const [route, check] of Object.entries(ROUTES)) await t.test(`${own.name} asks ${route} of ${other.name}`, (t) => check(t, ask, own, other));
  }
  const all = bearer((await mint(server, { scopes: ['logs:all'], user_id: 'ada' })).token);
  t.match((await send(server.url, '/logs', { headers: all })).json, { total: 6 });
  t.match((await send(server.url, '/logs/stats', { headers: all })).json, { statistics: { total_interactions: 6, unique_users: 3 } });
  for (const { interactionId } of [ada, bob, service]) t.equal((await send(server.url, `/logs/interactions/${interactionId}`, { headers: all })).status, 200);
  t.strictSame(await server.end('SIGTERM'), { code: 0, signal: null });
}));

nothingIsLeft(t);
