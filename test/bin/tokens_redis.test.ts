// `tokens` where Redis is named: through the server that runs, else in Redis itself, and it holds on every server at once.
import { join } from 'node:path';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { Secret } from '../../shared/secret.ts';
import { RedisLink } from '../../supervisor/store/redis/link.ts';
import { redisTokens } from '../../supervisor/store/redis/tokens.ts';
import { makeFolder } from '../helpers/folder.ts';
import { nothingIsLeft } from '../helpers/leftovers.ts';
import { runCommand } from '../helpers/process.ts';
import { redisOrSkip } from '../helpers/redis_server.ts';
import { waitFor } from '../helpers/wait_for.ts';

type Variables = Readonly<Record<string, string>>;
const idOf = (token: string): string => token.split('_')[1] ?? '';

async function project(t: Test) {
  const redis = await redisOrSkip(t);
  if (redis === null) return null;
  const cwd = await makeFolder(t);
  const run = (words: string, env: Variables = { REDIS_URL: redis.url }) => runCommand(['tokens', ...words.split(' ')], { cwd, env });
  const total = async (words = ''): Promise<number> => (JSON.parse((await run(`list --json ${words}`.trim())).stdout) as { total: number }).total;
  return { redis, cwd, run, total };
}

t.test('what it makes and revokes there, a server knows within a second', async (t) => {
  const setting = await project(t);
  if (setting === null) return;
  const { redis, run, total } = setting;
  const link = new RedisLink({ url: new Secret(redis.url), shown: 'redis' }, 'echo', pino({ level: 'silent' }));
  t.teardown(() => link.close());
  const revoked: string[] = [];
  const store = redisTokens(link, (id) => revoked.push(id));
  await link.open();
  const { code, stdout, stderr } = await run('create --agent echo --user-id ada');
  t.match({ code, stderr }, { code: 0, stderr: /^oai-agent-server: token \w{16} of user ada, / });
  const id = idOf(stdout);
  t.match(await store.findNow?.(id), { userId: 'ada' });
  t.strictSame([await total('--agent echo'), await total('--agent another')], [1, 0], 'each agent has its own');
  t.match(await run(`revoke ${id} --agent echo`), { code: 0, stderr: `oai-agent-server: token ${id} is revoked\n` });
  await waitFor('what it has begun to end', () => revoked.includes(id), 1000);
  t.equal(await store.findNow?.(id), null);
  t.match(await run(`revoke ${id} --agent echo`), { code: 1, stderr: 'oai-agent-server: There is no such token.\n' });
});

t.test('the agent is the one below .oai-agent-server, or has to be named', async (t) => {
  const setting = await project(t);
  if (setting === null) return;
  const { cwd, run, total } = setting;
  t.match(
    await run('list'),
    { code: 1, stderr: /^oai-agent-server: whose tokens in Redis\? name the agent with --agent, as no server runs here and there is no data directory / },
  );
  await mkdir(join(cwd, '.oai-agent-server/echo'), { recursive: true });
  t.equal((await run('create')).code, 0);
  t.strictSame([await total(), await total('--agent echo')], [1, 1]);
  await mkdir(join(cwd, '.oai-agent-server/other'));
  t.match(await run('list'), { code: 1, stderr: /there are several data directories: \S+\/echo, \S+\/other\n$/ });
  t.match(await run('list --agent ../x'), { code: 2, stderr: 'oai-agent-server: --agent: expected the name of an agent, got "../x"\n' });
});

t.test('a data directory that is named stands for no other agent', async (t) => {
  const setting = await project(t);
  if (setting === null) return;
  const { cwd, run, total } = setting;
  await mkdir(join(cwd, '.oai-agent-server/echo'), { recursive: true });
  await mkdir(join(cwd, 'data'));
  const refused = { code: 1, stdout: '', stderr: 'oai-agent-server: whose tokens in Redis? name the agent with --agent, as no server runs in data\n' };
  t.match(await run('create --data-dir data'), refused);
  t.equal(await total(), 0);
  t.equal((await run('create --data-dir data --agent other')).code, 0);
  t.equal((await run(`create --data-dir ${join('.oai-agent-server', 'third')}`)).code, 0);
  t.strictSame([await total(), await total('--agent other'), await total('--agent third')], [0, 1, 1]);
});

t.test('Redis is found by its parts too, and a value that is none is told', async (t) => {
  const setting = await project(t);
  if (setting === null) return;
  const { redis, run } = setting;
  t.equal((await run('create --agent echo', { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port) })).code, 0);
  t.match(await run('list --agent echo', { REDIS_PORT: 'x' }), { code: 78, stderr: /^oai-agent-server: REDIS_PORT: expected / });
});

t.test('where it is away or refuses, that is said, without its password', async (t) => {
  const setting = await project(t);
  if (setting === null) return;
  const { redis, run } = setting;
  await redis.kill();
  const { code, stdout, stderr } = await run('create --agent echo', { REDIS_URL: redis.url.replace('//', '//:pass-word@') });
  t.strictSame([code, stdout], [1, '']);
  t.match(stderr, /^oai-agent-server: Redis at 127\.0\.0\.1:\d+ is away: .+\n$/);
  t.notMatch(stderr, /pass-word/);
});

t.test('a killed server\'s file stands for no server, and is no way to another agent\'s tokens', async (t) => {
  const setting = await project(t);
  if (setting === null) return;
  const { cwd, total } = setting;
  const folder = join(cwd, '.oai-agent-server/echo');
  await mkdir(folder, { recursive: true });
  const stale = JSON.stringify({ pid: process.pid, url: 'http://127.0.0.1:1', agent: 'echo' });
  await writeFile(join(folder, 'server.json'), stale);
  t.equal(await total(), 0);
  await writeFile(join(folder, 'server.json'), stale);
  t.equal(await total(`--agent other --data-dir ${folder}`), 0);
  await rm(folder, { recursive: true });
});

nothingIsLeft(t);
