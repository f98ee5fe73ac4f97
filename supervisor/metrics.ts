// The figures that /metrics shows, all counted in this thread.
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Interaction } from './interactions/interaction.ts';
import type { LogState } from './logs/logs.ts';
import type { Slot } from './workers/slot.ts';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  countResponse(method: string, route: string, status: number): void;
  countInteraction(interaction: Interaction): void;
  /** A request was not let in; why, is nobody's business but its sender's. */
  countRefusal(status: number): void;
  countReload(ok: boolean): void;
}

export interface Gauged {
  active(): number;
  queued(): number;
  slots(): Iterable<Slot>;
  /** Whether the store of tokens, sessions and limits can be reached. */
  storeIsUp(): boolean;
  /** null: interactions are not logged. */
  logs(): LogState | null;
}

export function createMetrics(gauged: Gauged): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const responses = new Counter({ name: 'oai_http_responses_total', help: 'HTTP responses', labelNames: ['method', 'route', 'status'], registers });
  const interactions = new Counter({ name: 'oai_interactions_total', help: 'Ended interactions', labelNames: ['status', 'code'], registers });
  const refusals = new Counter({ name: 'oai_auth_failures_total', help: 'Requests that were not let in', labelNames: ['status'], registers });
  const tokens = new Counter({ name: 'oai_tokens_total', help: 'Tokens that models reported', labelNames: ['direction'], registers });
  const reloads = new Counter({ name: 'oai_reloads_total', help: 'Reloads that ended, well or not', labelNames: ['ok'], registers });
  const duration = new Histogram({ name: 'oai_interaction_seconds', help: 'From admission to the end', buckets: SECONDS, registers });
  const wait = new Histogram({ name: 'oai_queue_seconds', help: 'From admission to a worker', buckets: SECONDS, registers });
  const firstToken = new Histogram({ name: 'oai_time_to_first_token_seconds', help: 'From admission to the first text', buckets: SECONDS, registers });
  new Gauge({ name: 'oai_interactions_active', help: 'Interactions in a worker', registers, collect: collects(() => gauged.active()) });
  new Gauge({ name: 'oai_interactions_queued', help: 'Interactions that wait', registers, collect: collects(() => gauged.queued()) });
  new Gauge({ name: 'oai_store_up', help: 'Whether the store can be reached', registers, collect: collects(() => Number(gauged.storeIsUp())) });
  if (gauged.logs() !== null) gaugeLogs(registers, gauged);
  gaugeWorkers(registers, gauged);

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    countResponse: (method, route, status) => responses.inc({ method, route, status }),
    countRefusal: (status) => refusals.inc({ status }),
    countReload: (ok) => reloads.inc({ ok: String(ok) }),
    countInteraction({ status, error, usage, timing }) {
      interactions.inc({ status, code: error?.code.toLowerCase() ?? '' });
      duration.observe(timing.total_ms / 1000);
      wait.observe(timing.queue_ms / 1000);
      if (timing.time_to_first_token_ms !== null) firstToken.observe(timing.time_to_first_token_ms / 1000);
      if (usage === null) return;
      tokens.inc({ direction: 'input' }, usage.input_tokens);
      tokens.inc({ direction: 'output' }, usage.output_tokens);
    },
  };
}

function gaugeLogs(registers: Registry[], gauged: Gauged): void {
  const gauge = (name: string, help: string, read: (state: LogState) => number): void => {
    new Gauge({ name, help, registers, collect: collects(() => read(gauged.logs() as LogState)) });
  };
  gauge('oai_log_database_up', 'Whether the database of the log answers', ({ connected }) => Number(connected));
  gauge('oai_log_spool_bytes', 'Size of the spool', ({ spool_bytes: bytes }) => bytes);
  gauge('oai_log_spooled_records', 'Records on their way to the database', ({ spooled }) => spooled);
  gauge('oai_log_lost_records', 'Records that nothing is left of, since the start', ({ lost }) => lost);
  gauge('oai_log_dead_letters', 'Records that the database does not take', ({ dead_letters: count }) => count);
}

function gaugeWorkers(registers: Registry[], gauged: Gauged): void {
  const perWorker = (name: string, help: string, read: (slot: Slot) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ['worker', 'generation', 'state'],
      registers,
      collect() {
        this.reset();
        for (const slot of gauged.slots()) this.set({ worker: slot.id, generation: slot.generation, state: slot.state }, read(slot));
      },
    });
  };
  perWorker('oai_worker_active', 'Interactions in the worker', (slot) => slot.active);
  perWorker('oai_worker_heap_megabytes', 'JavaScript heap in use', (slot) => slot.heapMb);
  perWorker('oai_worker_event_loop_lag_milliseconds', 'Latest lateness of its event loop', (slot) => slot.eventLoopLagMs);
}

function collects(read: () => number): (this: Gauge) => void {
  return function collect() {
    this.set(read());
  };
}
