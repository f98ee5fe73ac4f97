// The thread's entry: isolates it, loads the agent, and serves interactions from its line until it is told to close.
import { flushCompileCache } from 'node:module';
import { toLoadFailure } from '../../shared/agent/load_error.ts';
import { BEAT_CELL, BEAT_INTERVAL_MS, type ServeTask, type SupervisorFrame } from '../../shared/protocol.ts';
import { collectGarbage } from '../../shared/collect_garbage.ts';
import { keepModules } from './agents/kept_modules.ts';
import { loadAgent } from './agents/load.ts';
import { createGauges, type Gauges } from './gauges.ts';
import { createInteractions, type Interactions } from './interactions.ts';
import { installIsolation } from './isolation.ts';
import { createLine, type Line } from './line.ts';
import { reasonOf } from './reason.ts';

const GAUGE_EVERY_BEATS = 5;
/** An agent may throw without end: its worker says so, so often. */
const STRAY_INTERVAL_MS = 1000;

/** The one task of the thread (piscina's default export). Settles when the line is closed; it never rejects because of the agent's code. */
export default async function serve(task: ServeTask): Promise<void> {
  const shared = new Int32Array(task.shared);
  const line = createLine(task.line);
  const isolation = installIsolation({
    baseEnv: task.baseEnv,
    exclusive: task.concurrency === 1,
    onStray: createStrayReport(line),
    onConsole: (id, stream, text) => line.postLog(id, stream === 'stdout' ? 'info' : 'warn', text.replace(/\n$/, '')),
  });
  const gauges = createGauges(line);
  const heartbeat = startHeartbeat(shared, gauges);
  const tellModules = keepModules(task.modules, (modules) => line.post({ type: 'modules', modules }));
  const tellFiles = task.tellsFiles ? (await import('./agents/loaded_files.ts')).collectLoadedFiles((files) => line.post({ type: 'files', files })) : null;
  try {
    const agent = await loadAgent(task.agentFile, task.definition, task.agentName, {
      temperature: task.temperature,
      maxTokens: task.maxTokens,
      concurrency: task.concurrency,
      baseEnv: isolation.base,
      usedDefinitions: task.usedDefinitions,
      configRoot: task.configRoot,
      reportMcps: (servers, pids) => line.post({ type: 'mcps', servers, pids }),
    });
    const interactions = createInteractions(task.agentName, agent, isolation, line, shared);
    collectGarbage();
    tellModules();
    tellFiles?.();
    line.post({ type: 'ready', facts: agent.facts, lastingHeap: gauges.lastingHeap() });
    // A thread that is terminated would not leave its compiled code to the next one.
    flushCompileCache();
    await closed(task, interactions, line);
    await agent.close();
  } catch (error) {
    tellFiles?.();
    line.post({ type: 'load_failed', reason: toLoadFailure(error) });
  } finally {
    clearInterval(heartbeat);
    gauges.close();
  }
}

/** The story goes the way of the log, which is bounded. */
function createStrayReport(line: Line): (id: string | null, error: unknown) => void {
  let saidAt = Number.NEGATIVE_INFINITY;
  return (id, error) => {
    line.postLog(id, 'error', reasonOf(error));
    const now = performance.now();
    if (now - saidAt < STRAY_INTERVAL_MS) return;
    saidAt = now;
    line.post({ type: 'stray', id });
  };
}

/** Counts the heartbeat up; how late that is, is how long something held the event loop. */
function startHeartbeat(shared: Int32Array, gauges: Gauges): NodeJS.Timeout {
  let beats = 0;
  let lastAt = performance.now();
  return setInterval(() => {
    Atomics.add(shared, BEAT_CELL, 1);
    const now = performance.now();
    gauges.late(now - lastAt - BEAT_INTERVAL_MS);
    lastAt = now;
    beats += 1;
    if (beats % GAUGE_EVERY_BEATS === 0) gauges.post();
  }, BEAT_INTERVAL_MS);
}

function closed(task: ServeTask, interactions: Interactions, line: Line): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const take = (frame: SupervisorFrame): void => {
    switch (frame.type) {
      case 'run':
        return interactions.run(frame.task);
      case 'cancel':
        return interactions.cancel(frame.id, frame.graceMs);
      case 'credit':
        return interactions.credit(frame.id, frame.units);
      case 'log_credit':
        return line.creditLog(frame.units);
      case 'close':
        return resolve();
      default:
        frame satisfies never;
    }
  };
  task.line.on('message', (frames: SupervisorFrame[]) => frames.forEach(take));
  return promise;
}
