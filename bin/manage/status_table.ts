// The state of a server as a table for a person to read.
import type { z } from 'zod';
import type { statusSchema } from '../../supervisor/routes/schemas.ts';

export type Status = z.infer<typeof statusSchema>;
type Worker = Status['workers'][number];
type Mcp = Status['mcps'][number];

const HEAD = ['ID', 'GENERATION', 'STATE', 'ACTIVE', 'SERVED', 'HEAP MB', 'LAG MS'];
const UNITS: readonly (readonly [seconds: number, name: string])[] = [[86_400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];

/** @returns lines, each with its name before it; what has several lines is named once */
export function statusTable(url: string, state: Status): string[] {
  const { model, logs, store, last_reload: last } = state;
  const rows: readonly (readonly [name: string, lines: readonly string[]])[] = [
    ['agent', [state.agent_name]],
    ['model', model === null ? [] : [`${model.model_id} (${model.provider})`]],
    ['status', [state.status]],
    ['url', [url]],
    ['version', [`${state.version}, Node.js ${state.node}`]],
    ['generation', [String(state.generation)]],
    ['up', [durationOf(state.uptime)]],
    ['interactions', [`${state.active_requests} active, ${state.queued_requests} queued`]],
    ['workers', workersTable(state.workers)],
    ['mcps', state.mcps.map(mcpLine)],
    ['logs', [logs.enabled ? `${logs.backend ?? '-'}, ${awayOr(logs.connected)}; ${logs.spooled} spooled, ${logs.lost} lost` : 'off']],
    ['store', [`${store.backend}, ${awayOr(store.connected)}`]],
    ['last reload', [last === null ? 'none' : `${last.ok ? 'ok' : 'failed'}, ${last.at}${last.error === null ? '' : `: ${last.error}`}`]],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.flatMap(([name, lines]) => lines.map((line, index) => `${(index === 0 ? name : '').padEnd(width)}  ${printable(line)}`));
}

function workersTable(workers: readonly Worker[]): string[] {
  const rows = [HEAD, ...workers.map(workerRow)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd());
}

function workerRow({ id, generation, state, active, served, heap_mb: heap, event_loop_lag_ms: lag }: Worker): string[] {
  return [String(id), String(generation), state, String(active), String(served), heap.toFixed(0), lag.toFixed(1)];
}

function mcpLine({ name, transport, tools, per_interaction: each, workers, error }: Mcp): string {
  if (each) return `${name}: ${transport}, one connection an interaction`;
  const { connected, connecting, down } = workers;
  const counts = [`${connected} connected`, ...(connecting > 0 ? [`${connecting} connecting`] : []), ...(down > 0 ? [`${down} down`] : [])];
  return `${name}: ${transport}, ${tools ?? '-'} tools, workers: ${counts.join(', ')}${error === null ? '' : `; ${error}`}`;
}

function awayOr(isConnected: boolean): string {
  return isConnected ? 'connected' : 'away';
}

/** Its two largest units that are not 0, such as `2 h 13 min`. */
function durationOf(seconds: number): string {
  const parts: string[] = [];
  let rest = Math.floor(seconds);
  for (const [unit, name] of UNITS) {
    const count = Math.floor(rest / unit);
    rest %= unit;
    if (count > 0 && parts.length < 2) parts.push(`${count} ${name}`);
    else if (parts.length > 0) break;
  }
  return parts.join(' ') || '0 s';
}

/** A server that is not ours could send what moves the cursor. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}
