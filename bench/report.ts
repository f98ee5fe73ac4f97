// Prints what was found: a table for each measurement, the machine, the aims.
import { availableParallelism, cpus, loadavg } from 'node:os';
import type { Aim, Finding, Row } from './findings.ts';
import type { Ratio } from './statistics.ts';

/** One measurement as text. */
export function formatFinding({ title, sides, rows, notes }: Finding): string {
  const head = toHead(sides);
  const cells = [head, ...rows.map(toCells)];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const align = (cell: string, column: number) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0));
  const lines = cells.map((row) => row.map(align).join('  ').trimEnd());
  return [`\n## ${title}`, ...lines, ...notes.map((note) => `  (${note})`)].join('\n');
}

/** What it ran on, and how busy that was before: the figures mean nothing without it. */
export function formatMachine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown';
  return `machine: ${availableParallelism()} cores (${model}), load average ${(loadavg()[0] ?? 0).toFixed(2)}, node ${process.version}`;
}

/** The aims, each with what was measured. Nothing depends on them: a busy machine misses them all. */
export function formatAims(aims: readonly Aim[]): string {
  return ['\naims', ...aims.map(({ what, measured, met }) => `  ${met ? 'met    ' : 'NOT met'}  ${what}: ${measured}`)].join('\n');
}

/** Of two sides it is clear which ratio is meant; of more, each row says it. */
function toHead(sides: readonly string[]): string[] {
  return ['', 'unit', ...sides, sides.length === 2 ? sides.toReversed().join('/') : 'ratio', 'pair by pair'];
}

function toCells({ what, unit, figures, ratio }: Row): string[] {
  return [what, unit, ...figures.map((figure) => (figure === null ? '' : formatFigure(figure))), ...formatRatio(ratio)];
}

/** Three significant digits, or all of a whole number. */
function formatFigure(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function formatRatio(ratio: Ratio | null): string[] {
  return ratio === null ? ['', ''] : [ratio.median.toFixed(2), `${ratio.least.toFixed(2)}–${ratio.largest.toFixed(2)}`];
}
