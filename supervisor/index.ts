// Starts a server: opens its parts in order, each with what closes it, and stops it without dropping what runs.
import { resolve } from 'node:path';
import { collectGarbage } from '../shared/collect_garbage.ts';
import type { AgentFacts } from '../shared/protocol.ts';
import { openAccess } from './access/access.ts';
import { Limits } from './access/limits.ts';
import { LiveTokens } from './access/live_tokens.ts';
import type { App, Phase } from './app.ts';
import { openDataDirectory } from './data_directory.ts';
import { createHttpServer } from './http/server.ts';
import { Interactions } from './interactions/interactions.ts';
import { Sessions } from './interactions/sessions.ts';
import { listen, type BringSocket } from './listen.ts';
import { LiveConfig } from './live_config.ts';
import { createLog } from './log.ts';
import { openLogs } from './logs/logs.ts';
import { createMetrics } from './metrics.ts';
import { startNotices } from './notices.ts';
import type { Release } from './release.ts';
import { Reloads } from './reloads.ts';
import { routeTable } from './routes/table.ts';
import { drain } from './stop.ts';
import { openStore } from './store/store.ts';
import { openUploads } from './uploads/uploads.ts';
import { readVersion } from './version.ts';
import { watchFiles } from './watched_files.ts';
import { makeGeneration, readSettings, startGeneration } from './workers/boot.ts';
import { Dispatcher } from './workers/dispatcher.ts';
import { CLOSE_GRACE_MS } from './workers/generation.ts';
import { Generations } from './workers/generations.ts';
import { goneInTime } from './workers/gone_in_time.ts';
import { watchHeaps } from './workers/heap_watch.ts';
import { watchHeartbeats } from './workers/heartbeat.ts';

export { StartError } from './start_error.ts';

const DEFAULT_PORT = 8000;
/** How often what is watched is brought up to date. */
const FOLLOW_INTERVAL_MS = 1000;
/** How long a worker may take to close what its agent holds when the deadline of a stop is over: the process is to be gone within a second of it. */
const LATE_CLOSE_GRACE_MS = 200;

export interface StartOptions extends Release {
  /** Whether a person sees what it prints. */
  readonly isTerminal: boolean;
  /** Reads everything anew for a reload. @throws errors whose message is for the person who runs the server */
  readonly reread: () => Promise<Release>;
  /** Ends the process at once. */
  readonly kill: (reason: string) => void;
  readonly socket: BringSocket;
  /** The process that signals are for. */
  readonly pid: number;
}

export interface RunningServer {
  readonly url: string;
  readonly agent: string;
  readonly workers: number;
  readonly generation: number;
  /** Lines for the person who started it. */
  readonly notices: readonly string[];
  /** Reads everything anew, and lets the new version take over once it is ready. @returns null, or why it failed, which is in the log and in /status too */
  reload(reason: string): Promise<string | null>;
  /**
   * Stops gracefully: what runs may finish until DRAIN_TIMEOUT_SECONDS. To be called once.
   * @returns when all is closed, whether no worker is left inside a call that only the end of the process ends
   */
  stop(reason: string): Promise<boolean>;
  /** Ends every interaction with `shutting_down` and lets go of the data directory, without waiting for anything; what workers hold ends with the process. */
  stopNow(reason: string): void;
}

/** @throws StartError */
export async function start(options: StartOptions): Promise<RunningServer> {
  const live = new LiveConfig(options);
  const config = live.current;
  const closers: (() => unknown)[] = [];
  const log = await createLog(config.logLevel, config.logFormat);
  closers.push(() => log.flush());
  try {
    const directory = await openDataDirectory(config.dataDir, options.pid);
    closers.push(() => directory.close());
    const uploads = await openUploads(directory.file('uploads'), log);
    closers.push(() => uploads.close());
    const liveTokens = new LiveTokens();
    const store = await openStore({ config, file: directory.file('state.db'), log, live: liveTokens });
    closers.push(() => store.close());
    const onRefused = (status: number): void => metrics.countRefusal(status);
    const access = await openAccess({ config, store: store.tokens, live: liveTokens, file: directory.file, log, onRefused });
    closers.push(() => access.close());
    const limits = new Limits(config, store.limits);
    const logs = config.logging === null ? null : await openLogs({ logging: config.logging, agentName: config.agent, file: directory.file, log });
    closers.push(() => logs?.close());
    const generations = new Generations({ log, onCapacity: () => dispatcher.assign() });
    let threadsAreGone = true;
    let closeGraceMs = CLOSE_GRACE_MS;
    closers.push(async () => {
      threadsAreGone = await generations.close(closeGraceMs);
    });
    const dispatcher = new Dispatcher(() => generations.serving, config.queueLimit);
    const [first, version] = await Promise.all([generations.start(options), readVersion()]);
    closers.push(watchHeartbeats(() => generations.all(), () => config.stuckTimeoutMs));
    closers.push(watchHeaps(() => generations.serving, log));
    const metrics = createMetrics({
      active: () => interactions.active,
      queued: () => interactions.queued,
      slots: () => generations.all(),
      storeIsUp: () => store.isUp,
      logs: () => logs?.state() ?? null,
    });
    const sessions = new Sessions({ store: store.sessions, order: store.order, config, tokenEnd: liveTokens.endOf, log });
    const interactions = new Interactions({
      config,
      log,
      sessions,
      dispatcher,
      limits,
      agentName: config.agent,
      tokenEnd: liveTokens.endOf,
      records: logs,
      maxItems: () => generations.serving.facts.maxItems,
      onEnd: (interaction) => {
        metrics.countInteraction(interaction);
        const { request, status, error, timing } = interaction;
        uploads.release(request.id);
        log.info({ interaction_id: request.id, session_id: request.sessionId, status, code: error?.code, ...timing }, 'interaction ended');
      },
    });
    closers.push(() => interactions.close());

    const watched = config.watch ? watchFiles((file) => void reload(`${file} changed`)) : null;
    closers.push(() => watched?.close());
    const follow = (readSince?: number): void => watched?.set([...generations.files, resolve(config.configRoot, '.env')], readSince);
    // Some modules are imported by interactions only, and a folder on the way to a file may be a link that is turned.
    const following = watched === null ? undefined : setInterval(() => follow(), FOLLOW_INTERVAL_MS).unref();
    closers.push(() => clearInterval(following));
    const reloads = new Reloads({
      started: options,
      reread: options.reread,
      generations,
      config: live,
      log,
      onEnd: (ok, begunAt) => {
        metrics.countReload(ok);
        follow(begunAt);
      },
    });
    const reload = (reason: string): Promise<string | null> => reloads.request('all', reason).then(() => null, (error: Error) => error.message);
    follow();

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
      store,
      tokens: access.tokens,
      limits,
      logs,
      uploads,
      metrics,
      reloads,
      generations,
      generation: () => generations.serving,
      kill: () => options.kill('POST /kill'),
      phase: () => phase,
      uptimeS: () => Math.round((performance.now() - readyAt) / 1000),
    };
    const http = createHttpServer({
      config,
      routes: routeTable(app),
      authenticate: access.authenticate,
      limits,
      log,
      onResponse: (route, status) => metrics.countResponse(route?.method ?? '', route?.path ?? '', status),
    });
    closers.push(() => http.destroy());
    const url = await listen(http, config.port ?? first.facts.port ?? DEFAULT_PORT, config.host, options.socket);
    await directory.announce(url, config.agent);
    collectGarbage();
    enter('ready', `serving on ${url}`);

    const stop = async (reason: string): Promise<boolean> => {
      enter('draining', reason);
      await reloads.stop();
      const inTime = await drain({ http, interactions, delayMs: config.drainDelayMs, timeoutMs: config.drainTimeoutMs });
      if (!inTime) closeGraceMs = LATE_CLOSE_GRACE_MS;
      enter('stopped', 'all is closed');
      await closeAll(closers);
      return threadsAreGone;
    };
    return {
      url,
      agent: config.agent,
      workers: config.workers,
      generation: first.number,
      notices: startNotices(config, first.facts, [...options.nodeOptions.split(' '), ...process.execArgv], {
        count: await access.tokens.list().then((all) => all.length, () => null),
        adminToken: access.adminToken,
        isTerminal: options.isTerminal,
      }),
      reload,
      stop,
      stopNow: (reason) => {
        log.warn({ reason, interactions: interactions.active + interactions.queued }, 'the server ends at once, and what runs or waits in it is cut');
        interactions.endAllNow();
        void access.close();
        void store.close();
        directory.close();
      },
    };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

/** Loads the agent in one worker, as `start` would, and tells what is known of it. @throws StartError */
export async function inspectAgent(release: Release): Promise<AgentFacts> {
  const log = await createLog(release.config.logLevel, release.config.logFormat);
  const settings = await readSettings(release);
  const generation = makeGeneration({ release, settings, number: 1, workers: 1, log, onCapacity: () => undefined });
  await startGeneration(generation);
  await goneInTime(generation.close(CLOSE_GRACE_MS), CLOSE_GRACE_MS);
  return generation.facts;
}

/** Last opened, first closed. */
async function closeAll(closers: (() => unknown)[]): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}
