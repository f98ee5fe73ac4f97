// The two servers that are compared: the bare one and ours, each with a model of the given API and pace behind it.
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { agentFile } from './agent_file.ts';
import { baseUrl, type Api, type Pace } from './apis.ts';
import { commandLine } from './proc.ts';
import { spawnServer } from './processes.ts';

export interface Contestant {
  readonly port: number;
  /** Of the process that serves, which a launcher may have started. */
  readonly pid: number;
  /** From the start of the process to its ready line, in ms. */
  readonly startedInMs: number;
}

export interface Setting {
  readonly modelPort: number;
  readonly api: Api;
  readonly pace: Pace;
  readonly workers: number;
}

/** Starts a server that ends with the stack. */
export type StartContestant = (setting: Setting, stack: AsyncDisposableStack) => Promise<Contestant>;

const AGENT = 'bench';

export const startBare: StartContestant = async ({ modelPort, api, pace }, stack) => {
  const startedMs = performance.now();
  const args = [path('./bare.ts'), '--base-url', baseUrl(modelPort, pace), '--api', api];
  const { child, url } = await spawnServer(args, environment(), stack);
  return { port: Number(url.port), pid: child.pid ?? 0, startedInMs: performance.now() - startedMs };
};

export const startOurs: StartContestant = async ({ modelPort, api, pace, workers }, stack) => {
  const root = await mkdtemp(join(tmpdir(), 'oai-agent-server-bench-'));
  stack.defer(() => rm(root, { recursive: true, force: true }));
  await mkdir(join(root, 'agents'));
  await writeFile(join(root, 'agents', `${AGENT}.yaml`), agentFile(AGENT, baseUrl(modelPort, pace), api));
  const dataDir = join(root, 'data');
  const flags = ['--host', '127.0.0.1', '--port', '0', '--workers', String(workers), '--config-root', root, '--data-dir', dataDir];
  stack.defer(() => endServer(dataDir));

  const startedMs = performance.now();
  const { url } = await spawnServer([path('../bin/oai-agent-server.js'), 'serve', AGENT, ...flags], environment(), stack);
  const startedInMs = performance.now() - startedMs;
  return { port: Number(url.port), pid: await serverPid(dataDir), startedInMs };
};

/** The process that a launcher started says who it is in its data directory. */
async function serverPid(dataDir: string): Promise<number> {
  const { pid } = JSON.parse(await readFile(join(dataDir, 'server.json'), 'utf8')) as { pid: number };
  return pid;
}

/** Ends a server that has outlived its launcher; one that has ended as it should is not there any more. */
async function endServer(dataDir: string): Promise<void> {
  const pid = await serverPid(dataDir).catch(() => 0);
  if (pid === 0 || !commandLine(pid).includes(dataDir)) return;
  process.kill(pid, 'SIGKILL');
}

/** Nothing of the caller's own settings may reach a server: a REDIS_URL would change what is measured. */
function environment(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', LOG_LEVEL: 'warn', OPENAI_API_KEY: 'sk-bench' };
}

function path(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
