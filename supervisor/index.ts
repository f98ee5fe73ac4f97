// Starts a server: opens its parts in order, each with what closes it, and stops it without dropping what runs.
import { collectGarbage } from '../shared/collect_garbage.ts';
import type { AgentFacts } from '../shared/protocol.ts';
import { openAccess } from './access/access.ts';
import type { App, Phase } from './app.ts';
import { openDataDirectory } from './data_directory.ts';
import { createHttpServer, type HttpServer } from './http/server.ts';
import { Interactions } from './interactions/interactions.ts';
import { Sessions } from './interactions/sessions.ts';
import { createLog, type Logger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { startNotices } from './notices.ts';
import { routeTable } from './routes/table.ts';
import { StartError } from './start_error.ts';
import { openEmbeddedStore, type EmbeddedStore } from './store/embedded.ts';
import { sweepSessions } from './store/sweep.ts';
import { openUploads } from './uploads/uploads.ts';
import { readVersion } from './version.ts';
import { bootGeneration, type BootOptions } from './workers/boot.ts';
import { Dispatcher } from './workers/dispatcher.ts';
import { CLOSE_GRACE_MS } from './workers/generation.ts';
import { watchHeartbeats } from './workers/heartbeat.ts';

export { StartError } from './start_error.ts';

const DEFAULT_PORT = 8000;
/** For the last events to leave when a drain is cut. */
const LAST_WORDS_MS = 500;

export interface StartOptions extends BootOptions {
  /** Whether a person sees what it prints. */
  readonly isTerminal: boolean;
}

export interface RunningServer {
  readonly url: string;
  readonly agent: string;
  readonly workers: number;
  readonly generation: number;
  /** Lines for the person who started it. */
  readonly notices: readonly string[];
  /** Stops gracefully: what runs may finish until DRAIN_TIMEOUT_SECONDS. Resolves when all is closed; calling it again joins the first. */
  stop(reason: string): Promise<void>;
  /** Ends every interaction with `shutting_down` and lets go of the data directory, without waiting for anything; what workers hold ends with the process. */
  stopNow(): void;
  readonly stopped: Promise<void>;
}

/** @throws StartError */
export async function start(options: StartOptions): Promise<RunningServer> {
  const { config } = options;
  const closers: (() => unknown)[] = [];
  const log = await createLog(config.logLevel, config.logFormat);
  closers.push(() => log.flush());
  try {
    const directory = await openDataDirectory(config.dataDir);
    closers.push(() => directory.close());
    const uploads = await openUploads(directory.file('uploads'), log);
    closers.push(() => uploads.close());
    const store = openStore(directory.file('state.db'), log);
    closers.push(() => store.close());
    closers.push(sweepSessions(store.sessions, log));
    const onRefused = (status: number): void => metrics.countRefusal(status);
    const access = await openAccess({ config, store: store.tokens, file: directory.file, log, onRefused });
    closers.push(() => access.close());
    const [generation, version] = await Promise.all([bootGeneration(options, config.workers, log, () => dispatcher.assign()), readVersion()]);
    closers.push(() => generation.close(CLOSE_GRACE_MS));
    const dispatcher = new Dispatcher(() => generation, config.queueLimit);
    closers.push(watchHeartbeats(() => generation.all(), config.stuckTimeoutMs));
    const metrics = createMetrics({ active: () => interactions.active, queued: () => interactions.queued, slots: () => generation.all() });
    const sessions = new Sessions(store.sessions, config.sessionTtlMs, log);
    const interactions = new Interactions({
      config,
      log,
      sessions,
      dispatcher,
      agentName: config.agent,
      tokenEnd: access.live.endOf,
      maxItems: () => generation.facts.maxItems,
      onEnd: (interaction) => {
        metrics.countInteraction(interaction);
        const { request, status, error, timing } = interaction;
        uploads.release(request.id);
        log.info({ interaction_id: request.id, session_id: request.sessionId, status, code: error?.code, ...timing }, 'interaction ended');
      },
    });
    closers.push(() => interactions.close());

    let phase: Phase = 'starting';
    const enter = (next: Phase, reason: string): void => {
      phase = next;
      log.info({ phase }, reason);
    };
    const readyAt = performance.now();
    const app: App = {
      config,
      version,
      interactions,
      sessions,
      store: store.sessions,
      tokens: access.tokens,
      uploads,
      metrics,
      generation: () => generation,
      phase: () => phase,
      uptimeS: () => Math.round((performance.now() - readyAt) / 1000),
    };
    const http = createHttpServer({
      config,
      routes: routeTable(app),
      authenticate: access.authenticate,
      log,
      onResponse: (route, status) => metrics.countResponse(route?.method ?? '', route?.path ?? '', status),
    });
    closers.push(() => http.destroy());
    const url = await listen(http, config.port ?? generation.facts.port ?? DEFAULT_PORT, config.host);
    await directory.announce(url, config.agent);
    collectGarbage();
    enter('ready', `serving on ${url}`);

    const stopped = Promise.withResolvers<void>();
    let stopping = false;
    const stop = async (reason: string): Promise<void> => {
      if (stopping) return stopped.promise;
      stopping = true;
      enter('draining', reason);
      await drain(http, interactions, config.drainTimeoutMs);
      enter('stopped', 'all is closed');
      await closeAll(closers);
      stopped.resolve();
    };
    return {
      url,
      agent: config.agent,
      workers: config.workers,
      generation: generation.number,
      notices: startNotices(config, generation.facts, [...(process.env['NODE_OPTIONS'] ?? '').split(' '), ...process.execArgv], {
        count: (await access.tokens.list()).length,
        adminToken: access.adminToken,
        isTerminal: options.isTerminal,
      }),
      stop,
      stopNow: () => {
        interactions.endAll();
        void access.close();
        store.close();
        directory.close();
      },
      stopped: stopped.promise,
    };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

/** Loads the agent in one worker, as `start` would, and tells what is known of it. @throws StartError */
export async function inspectAgent(options: StartOptions): Promise<AgentFacts> {
  const log = await createLog(options.config.logLevel, options.config.logFormat);
  const generation = await bootGeneration(options, 1, log, () => undefined);
  await generation.close(CLOSE_GRACE_MS);
  return generation.facts;
}

function openStore(file: string, log: Logger): EmbeddedStore {
  try {
    return openEmbeddedStore(file);
  } catch (error) {
    log.debug({ err: error }, 'the embedded store could not be opened');
    throw new StartError(1, `the embedded store ${file} cannot be opened: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function listen(http: HttpServer, port: number, host: string): Promise<string> {
  try {
    const actual = await http.listen(port, host);
    const shown = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    return `http://${shown.includes(':') ? `[${shown}]` : shown}:${actual}`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'EADDRINUSE' ? 'is in use' : code === 'EACCES' ? 'may not be used by this user' : `cannot be used: ${code ?? String(error)}`;
    throw new StartError(1, `port ${port} of ${host} ${reason}`);
  }
}

/** Lets connections and interactions run out, until the deadline; then each that still runs is told. */
async function drain(http: HttpServer, interactions: Interactions, timeoutMs: number): Promise<void> {
  const deadline = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => deadline.resolve('late'), timeoutMs);
  const closed = http.close().then(() => interactions.idle());
  if ((await Promise.race([closed, deadline.promise])) === 'late') {
    interactions.endAll();
    const lastWords = setTimeout(() => http.destroy(), LAST_WORDS_MS);
    await closed;
    clearTimeout(lastWords);
  }
  clearTimeout(timer);
}

/** Last opened, first closed. */
async function closeAll(closers: (() => unknown)[]): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}
