// Who puts new versions in place under load: ours, PM2, and a plain server behind something that starts it again.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LAUNCHER } from '../../test/helpers/process.ts';
import { versioned } from '../../test/helpers/releases.ts';
import { forkModule, spawnServer } from '../processes.ts';

const run = promisify(execFile);
const PLAIN = fileURLToPath(new URL('plain_server.js', import.meta.url));
/** The newest at the time of the figures. Installed for the bench alone, as it brings a hundred packages. */
export const PM2 = 'pm2@7.0.4';
const WORKERS = '2';

export interface Reloaded {
  readonly url: string;
  /** Puts a version in place and asks for it; what shows that it is there is an answer of it. */
  put(version: string): Promise<void>;
}

export async function startOurs(stack: AsyncDisposableStack): Promise<Reloaded> {
  const folder = await folderOf(stack);
  const file = join(folder, 'release.mjs');
  await writeFile(file, versioned('v1'));
  const args = [LAUNCHER, 'serve', file, '--host', '127.0.0.1', '--port', '0', '--workers', WORKERS, '--data-dir', join(folder, 'data')];
  const { PATH = '', HOME = '' } = process.env;
  const { child, url } = await spawnServer(args, { PATH, HOME, LOG_LEVEL: 'warn' }, stack);
  return {
    url: url.href,
    async put(version) {
      await writeFile(file, versioned(version));
      child.kill('SIGHUP');
    },
  };
}

export async function startPlain(stack: AsyncDisposableStack): Promise<Reloaded> {
  const { url, versionFile, env } = await settingOf(stack);
  const { child } = await forkModule('./restart/keeper.ts', stack, { env });
  return {
    url,
    async put(version) {
      await writeFile(versionFile, version);
      child.kill('SIGHUP');
    },
  };
}

/** As its documentation has it: cluster mode, two instances, `wait_ready`, and time enough for whatever runs. */
export async function startPm2(stack: AsyncDisposableStack): Promise<Reloaded> {
  const { folder, url, versionFile, env } = await settingOf(stack);
  await run('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--silent', PM2]);
  const ecosystem = join(folder, 'ecosystem.config.json');
  const app = { name: 'plain', script: PLAIN, exec_mode: 'cluster', instances: Number(WORKERS), wait_ready: true, listen_timeout: 10_000, kill_timeout: 30_000 };
  await writeFile(ecosystem, JSON.stringify({ apps: [{ ...app, env }] }));
  const pm2 = (...args: readonly string[]) => run(join(folder, 'node_modules/.bin/pm2'), [...args], { env: { ...env, PM2_HOME: join(folder, 'home') } });
  stack.defer(async () => void (await pm2('kill').catch(() => undefined)));
  await pm2('start', ecosystem);
  return {
    url,
    async put(version) {
      await writeFile(versionFile, version);
      await pm2('reload', 'plain');
    },
  };
}

async function settingOf(stack: AsyncDisposableStack) {
  const folder = await folderOf(stack);
  const versionFile = join(folder, 'version');
  await writeFile(versionFile, 'v1');
  const port = await freePort();
  const { PATH = '', HOME = '' } = process.env;
  return { folder, versionFile, url: `http://127.0.0.1:${port}`, env: { PATH, HOME, PLAIN_PORT: String(port), PLAIN_VERSION: versionFile } };
}

async function folderOf(stack: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'oai-bench-restart-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}
