// The servers and the balancer of deploy/compose.yaml, updated one after another under load: clients that never ask twice miss nothing.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { startCountedLoad } from './helpers/counted_load.ts';
import { makeFolder } from './helpers/folder.ts';
import { haproxyOrSkip } from './helpers/haproxy.ts';
import { send } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { postgresOrSkip } from './helpers/postgres_server.ts';
import { type Exit, LAUNCHER, PROJECT, spawnProcess, type SpawnedProcess } from './helpers/process.ts';
import { findProgram, freePort, notTested } from './helpers/programs.ts';
import { redisOrSkip } from './helpers/redis_server.ts';
import { versioned } from './helpers/releases.ts';
import { bearer } from './helpers/tokens.ts';
import { waitFor } from './helpers/wait_for.ts';

interface Service {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

const compose = parse(await readFile(join(PROJECT, 'deploy/compose.yaml'), 'utf8'), { merge: true }) as { services: Record<string, Service> };
const HAPROXY = await readFile(join(PROJECT, 'deploy/haproxy.cfg'), 'utf8');
/** Of both servers, the agent's name left out. */
const [, ...WORDS] = compose.services['server-1']?.command ?? [];
const SHOWN = compose.services['server-1']?.environment ?? {};

const TOKEN = 'the-same-on-both-machines';
const headers = bearer(TOKEN);
const QUICK = { streams: 10, keptAlive: 10, fresh: 10, pieceMs: 20, headers };
/** Longer than a server that stops goes on accepting: they are open when it no longer does. */
const LONG = { streams: 4, keptAlive: 0, fresh: 0, pieceMs: 700, headers };

interface Machine {
  readonly url: string;
  /** Resolves when it is ready. */
  start(): Promise<void>;
  /** TERM, as an update sends it. */
  stop(): Promise<Exit>;
}

/** A machine keeps its port and its data directory over its servers. */
async function machine(t: Test, root: string, env: Readonly<Record<string, string>>): Promise<Machine> {
  const port = await freePort();
  const dataDir = await mkdtemp(join(tmpdir(), 'oai-agent-server-'));
  let running: SpawnedProcess;
  t.teardown(async () => {
    running.process.kill('SIGKILL');
    await running.exited;
    await rm(dataDir, { recursive: true, force: true });
  });
  const where = ['--config-root', root, '--data-dir', dataDir, '--host', '127.0.0.1', '--port', String(port)];
  return {
    url: `http://127.0.0.1:${port}`,
    async start() {
      running = spawnProcess(process.execPath, [LAUNCHER, 'release', ...where, '--workers', '1', ...WORDS], { env });
      const { process: child, output } = running;
      await waitFor('the ready line', () => {
        if (child.exitCode !== null) throw new Error(`the server has ended: ${output.stdout}${output.stderr}`);
        return output.stdout.includes(' ready on ');
      }, 30_000);
    },
    async stop() {
      running.process.kill('SIGTERM');
      return running.exited;
    },
  };
}

t.test('servers are replaced one by one, and nobody notices', { timeout: 100_000 }, async (t) => {
  if (findProgram(['haproxy'], ['/usr/sbin', '/usr/local/sbin']) === null) return notTested(t, 'there is no haproxy on this machine');
  const redis = await redisOrSkip(t);
  const postgres = await postgresOrSkip(t);
  if (redis === null || postgres === null) return;
  const root = await makeFolder(t, { 'agents/release.mjs': versioned('v1') });
  const stores = { REDIS_URL: redis.url, DB_LOGGING_ENABLED: 'true', LOGGING_DB_URL: postgres.url };
  const { FORCE_AUTH = '', DRAIN_TIMEOUT_SECONDS = '' } = SHOWN;
  const env = { FORCE_AUTH, DRAIN_TIMEOUT_SECONDS, TRUSTED_PROXIES: '127.0.0.1', OAI_ADMIN_TOKEN: TOKEN, ...stores };
  const machines = [await machine(t, root, env), await machine(t, root, env)];
  await Promise.all(machines.map(({ start }) => start()));
  const served = async ({ url }: Machine): Promise<number> => {
    const { workers } = (await send(url, '/status', { headers })).json as { workers: [{ served: number }] };
    return workers[0].served;
  };

  const url = `http://127.0.0.1:${await freePort()}`;
  const addresses = Object.entries({ ':8000': url, '172.28.0.11:8000': machines[0]?.url, '172.28.0.12:8000': machines[1]?.url });
  // So many connections may be more files than a process of this machine may open.
  const modest = HAPROXY.replace(/maxconn \d+/, 'maxconn 200');
  const config = addresses.reduce((text, [shown, real = '']) => text.replace(` ${shown}\n`, ` ${new URL(real).host}\n`), modest);
  const logged = await haproxyOrSkip(t, { config, url });
  if (logged === null) return;
  t.equal((await send(url, '/status')).status, 401, 'a balancer of the same machine lets nobody in');

  const loads = [startCountedLoad(url, QUICK, 50), startCountedLoad(url, LONG)] as const;
  const [{ tally }] = loads;
  await waitFor('both to have some of it', async () => (await Promise.all(machines.map(served))).every((count) => count > 20));
  await writeFile(join(root, 'agents/release.mjs'), versioned('v2'));
  for (const [index, one] of machines.entries()) {
    const began = performance.now();
    t.strictSame(await one.stop(), { code: 0, signal: null });
    t.comment(`server ${index + 1} had stopped after ${Math.round(performance.now() - began)} ms`);
    t.match(logged(), new RegExp(`server-${index + 1} is DOWN`), 'the balancer had taken it out');
    await one.start();
    await waitFor('its share of the load', async () => (await served(one)) > 20);
  }
  await waitFor('answers of the new version', () => (tally.answers.get('v2') ?? 0) > 100);
  const whole = (await Promise.all(loads.map(({ stop }) => stop()))).reduce((sum, count) => sum + count, 0);
  const failures = loads.flatMap(({ tally }) => tally.failures);
  t.strictSame(failures.slice(0, 5), [], `${whole} answers, ${failures.length} failed, slowest ${Math.round(tally.slowestMs)} ms`);
  t.strictSame([...tally.answers.keys()].toSorted(), ['v1', 'v2']);
  t.notMatch(logged(), /no server available/);

  const rows = async (): Promise<unknown> => (await send(url, '/logs?limit=1&status=success', { headers })).json['total'];
  await waitFor(`${whole} rows in the log`, async () => (await rows()) === whole);
  t.strictSame(await Promise.all(machines.map(({ stop }) => stop())), machines.map(() => ({ code: 0, signal: null })));
});

nothingIsLeft(t);
