// What is compared, each with a model of the given API and pace behind it: the bare server, ours, and agents that are run without a server.
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AGENT, agentFile } from './agent_file.ts';
import { baseUrl, SDK_API_VARIABLE, type Api, type Pace } from './apis.ts';
import { createJobSender } from './job_process.ts';
import type { ClosedLoopResult, LoopJob } from './load/jobs.ts';
import { commandLine } from './proc.ts';
import { forkModule, spawnServer } from './processes.ts';

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

export interface DirectContestant {
  readonly pid: number;
  /** Runs the agent again and again. @throws if the process fails or has gone */
  readonly run: (job: LoopJob) => Promise<ClosedLoopResult>;
}

/** Who runs an agent: the package @openai/agents, or our engine for declarative agents. */
export type Engine = 'sdk' | 'declarative';

export const startBare: StartContestant = async ({ modelPort, api, pace }, stack) => {
  const startedMs = performance.now();
  const args = [path('./bare.ts'), '--base-url', baseUrl(modelPort, pace), '--api', api];
  const { child, url } = await spawnServer(args, environment(), stack);
  return { port: Number(url.port), pid: child.pid ?? 0, startedInMs: performance.now() - startedMs };
};

export const startOurs: StartContestant = (setting, stack) => startOursWith({}, setting, stack);

/** Our server with variables of its own. @param prepare puts into its data directory what is to be there when it starts */
export async function startOursWith(
  env: Readonly<Record<string, string>>,
  setting: Setting,
  stack: AsyncDisposableStack,
  prepare?: (dataDir: string) => Promise<void>,
): Promise<Contestant> {
  const root = await makeRoot(stack);
  await mkdir(join(root, 'agents'));
  await writeFile(join(root, 'agents', `${AGENT}.yaml`), agentFile(baseUrl(setting.modelPort, setting.pace), setting.api));
  if (prepare !== undefined) {
    await mkdir(dataDirectory(root), { mode: 0o700 });
    await prepare(dataDirectory(root));
  }
  return serve(AGENT, setting, root, { ...environment(), ...env }, stack);
}

/** Our server with an agent of @openai/agents in the place of the declarative one. */
export const startOursWithSdk: StartContestant = async (setting, stack) => {
  return serve(path('./sdk_agent.ts'), setting, await makeRoot(stack), sdkEnvironment(setting), stack);
};

/** Starts a process that runs the agent itself, and ends with the stack. */
export async function startDirect(engine: Engine, setting: Omit<Setting, 'workers'>, stack: AsyncDisposableStack): Promise<DirectContestant> {
  const args = ['--engine', engine, '--base-url', baseUrl(setting.modelPort, setting.pace), '--api', setting.api];
  const { child } = await forkModule('./direct.ts', stack, { args, env: sdkEnvironment(setting) });
  const send = createJobSender(child, `the direct run of ${engine}`);
  return { pid: child.pid ?? 0, run: async (job) => (await send(job)) as ClosedLoopResult };
}

async function makeRoot(stack: AsyncDisposableStack): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'oai-agent-server-bench-'));
  stack.defer(() => rm(root, { recursive: true, force: true }));
  return root;
}

function dataDirectory(root: string): string {
  return join(root, 'data');
}

async function serve(
  agent: string,
  { workers }: Setting,
  root: string,
  env: Readonly<Record<string, string>>,
  stack: AsyncDisposableStack,
): Promise<Contestant> {
  const dataDir = dataDirectory(root);
  const flags = ['--host', '127.0.0.1', '--port', '0', '--workers', String(workers), '--config-root', root, '--data-dir', dataDir];
  stack.defer(() => endServer(dataDir));

  const startedMs = performance.now();
  const { url } = await spawnServer([path('../bin/oai-agent-server.js'), 'serve', agent, ...flags], env, stack);
  const startedInMs = performance.now() - startedMs;
  return { port: Number(url.port), pid: await serverPid(dataDir), startedInMs };
}

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

/** An agent of the SDK finds its model by variables. */
function sdkEnvironment({ modelPort, pace, api }: Omit<Setting, 'workers'>): Record<string, string> {
  return { ...environment(), OPENAI_BASE_URL: baseUrl(modelPort, pace), [SDK_API_VARIABLE]: api };
}

function path(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
