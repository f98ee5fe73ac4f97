// The routes of mode health: whether the server lives, whether it can take work, how it is.
import type { ModelName } from '../../shared/chat.ts';
import type { McpServerFacts } from '../../shared/protocol.ts';
import type { App } from '../app.ts';
import { send, sendJson, type RequestContext } from '../http/context.ts';
import type { Slot } from '../workers/slot.ts';
import type { Route } from './route.ts';
import { healthSchema, readySchema, statusSchema } from './schemas.ts';

export function systemRoutes(app: App): readonly Route[] {
  const health = (context: RequestContext): void => sendJson(context, 200, JSON.stringify({ status: 'healthy', agent: app.config.agent }));

  const ready = (context: RequestContext): void => {
    const workers = app.generation().serving.some((slot) => slot.state === 'ready' || slot.state === 'suspect');
    const draining = app.phase() !== 'ready';
    const { model } = app.generation().facts;
    const store = app.store.isUp && !app.store.isFull;
    const log = app.logs === null ? 'off' : app.logs.state().connected ? 'ok' : 'down';
    const whole = store && log !== 'down' && app.logs?.isDegraded !== true;
    const status = draining ? 'draining' : !workers ? 'no_workers' : whole ? 'ready' : 'degraded';
    const checks = { workers: workers ? 'ok' : 'down', token_store: store ? 'ok' : 'down', log_database: log, model: isOffline(model) ? 'off' : 'ok' };
    sendJson(context, status === 'ready' || status === 'degraded' ? 200 : 503, JSON.stringify({ status, checks, model }));
  };

  const status = (context: RequestContext): void => {
    const generation = app.generation();
    const draining = app.phase() !== 'ready';
    sendJson(
      context,
      200,
      JSON.stringify({
        agent_name: app.config.agent,
        status: draining ? 'shutting_down' : app.reloads.isRunning ? 'restarting' : 'running',
        is_shutting_down: draining,
        uptime: app.uptimeS(),
        active_requests: app.interactions.active,
        queued_requests: app.interactions.queued,
        generation: generation.number,
        version: app.version,
        node: process.version,
        model: generation.facts.model,
        workers: [...app.generations.all()].map((slot) => ({
          id: slot.id,
          generation: slot.generation,
          state: slot.state,
          active: slot.active,
          served: slot.served,
          heap_mb: slot.heapMb,
          event_loop_lag_ms: slot.eventLoopLagMs,
        })),
        mcps: generation.facts.mcps.map((server) => mcpStatus(server, generation.serving)),
        logs: { enabled: app.logs !== null, ...(app.logs?.state() ?? NO_LOGS) },
        store: { backend: app.store.backend, connected: app.store.isUp },
        last_reload: app.reloads.last,
      }),
    );
  };

  const metrics = async (context: RequestContext): Promise<void> => send(context.response, 200, app.metrics.contentType, await app.metrics.text());

  const row = { method: 'GET', mode: 'health', errors: [] } as const;
  return [
    {
      ...row,
      path: '/health',
      scope: 'open',
      summary: 'Whether the process answers',
      success: { status: 200, description: 'It does.', schema: healthSchema },
      handle: health,
    },
    {
      ...row,
      path: '/ready',
      scope: 'open',
      summary: 'Whether the server can take work; 503 where it cannot',
      success: { status: 200, description: 'It can.', schema: readySchema },
      handle: ready,
    },
    { ...row, path: '/status', scope: 'agent', summary: 'How the server is', success: { status: 200, description: 'Its state.', schema: statusSchema }, handle: status },
    {
      ...row,
      path: '/metrics',
      scope: 'agent',
      summary: 'Figures for Prometheus',
      success: { status: 200, description: 'Prometheus text format.', contentType: 'text/plain' },
      handle: metrics,
    },
  ];
}

/** Where interactions are not logged. */
const NO_LOGS = { backend: null, connected: false, spooled: 0, spool_bytes: 0, lost: 0, dead_letters: 0 };

function isOffline(model: ModelName | null): boolean {
  return model?.provider === 'offline';
}

/** An MCP server as the workers that serve see it: each has a connection of its own, unless each interaction has. */
function mcpStatus({ name, transport, perInteraction, tools }: McpServerFacts, slots: readonly Slot[]): object {
  const seen = slots.flatMap(({ mcps }) => mcps.filter((server) => server.name === name));
  const count = (wanted: string) => seen.filter(({ state }) => state === wanted).length;
  return {
    name,
    transport,
    per_interaction: perInteraction,
    tools: perInteraction ? null : tools.length,
    workers: { connected: count('connected'), connecting: count('connecting'), down: count('down') },
    error: seen.find(({ error }) => error !== null)?.error ?? null,
  };
}
