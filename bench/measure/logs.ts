// What the log of interactions costs: the rate of chats, the time of each and of its end, with logging off and on with either database.
import { setTimeout as delay } from 'node:timers/promises';
import type { PostgresServer } from '../../test/helpers/postgres_server.ts';
import { QUESTION } from '../answer.ts';
import { withCpu } from '../cpu.ts';
import { tellDeviations, type Aim, type Finding, type Row } from '../findings.ts';
import type { Bench } from '../pair.ts';
import { postgresCpuSeconds, postgresOf } from '../postgres.ts';
import { median, pairedRatio, type Summary } from '../statistics.ts';
import { LEAST_RATE, POSTGRES, startLogging, type LoggingSide as Side } from '../log_sides.ts';
import { recordsPerSecond } from './log_pipeline.ts';

const MOST_ADDED_MS = 1;
const LEAST_RECORDS = 5000;
const WARM_UP_REQUESTS = 100;
const UNKNOWN: Summary = { p50: NaN, p99: NaN, max: NaN };

interface Round {
  readonly perSecond: number;
  readonly took: Summary;
  /** Of the server, in ms for an answer, until all that it logged is shipped. */
  readonly cpuMs: number;
  /** Of PostgreSQL's own processes, likewise. */
  readonly postgresMs: number;
  /** Records that were still on their way when the last answer came. */
  readonly spooled: number;
}

/** One at a time, by turns; a summary for each side. */
interface Alone {
  readonly took: readonly Summary[];
  /** From the last piece of text of a stream to its end. */
  readonly ending: readonly Summary[];
}

export async function measureLogs(bench: Bench): Promise<Finding> {
  await using servers = bench.stack.use(new AsyncDisposableStack());
  const postgres = await postgresOf(servers);
  const missing = typeof postgres === 'string' ? `NOT MEASURED with PostgreSQL: ${postgres}` : null;
  if (missing !== null) console.error(`\nlogs: ${missing}`);
  const database = typeof postgres === 'string' ? null : postgres;
  const sides = await startLogging(bench, 'fast', database, servers);
  const deviations: string[] = [];
  const rounds = await compareRates(bench, sides, database, deviations);
  const alone = await askAlone(bench, sides, deviations);
  // Nobody else may take the cores that the pipeline is measured on.
  await servers.disposeAsync();
  const pipeline: (number | null)[] = [null];
  for (const { name } of sides.slice(1)) pipeline.push(await measurePipeline(bench, name));
  return { ...reportOf(bench, sides, rounds, alone, pipeline), deviations, notes: notesOf(sides, rounds, missing) };
}

/** As many chats as each answers. @returns the rounds of each side */
async function compareRates(
  { generator, plan: { logs } }: Bench,
  sides: readonly Side[],
  postgres: PostgresServer | null,
  deviations: string[],
): Promise<readonly (readonly Round[])[]> {
  const round = async ({ name, port, pid }: Side, durationMs: number): Promise<Round> => {
    const target = { port, kind: 'chat', path: '/chat' } as const;
    const before = postgres === null ? 0 : postgresCpuSeconds(postgres);
    const [{ result, spooled }, cpu] = await withCpu({ server: pid }, async () => {
      const result = await generator.run({ type: 'closed_loop', target, concurrency: logs.concurrency, durationMs });
      return { result, spooled: await untilShipped(port) };
    });
    deviations.push(...tellDeviations(name, result.deviations));
    const { completed, elapsedMs, took } = result;
    const postgresS = postgres === null ? 0 : postgresCpuSeconds(postgres) - before;
    const perAnswer = (seconds: number): number => (seconds * 1000) / completed;
    return { perSecond: (completed * 1000) / elapsedMs, took, cpuMs: perAnswer(cpu.server), postgresMs: perAnswer(postgresS), spooled };
  };
  for (const side of sides) await round(side, logs.warmUpMs);
  const rounds = sides.map((): Round[] => []);
  for (let turn = 0; turn < logs.rounds; turn++) {
    // Each is the first one in its turn: whoever is may find the machine in another state than the others.
    for (const each of sides.keys()) {
      const index = (each + turn) % sides.length;
      rounds[index]?.push(await round(sides[index] as Side, logs.roundMs));
    }
  }
  return rounds;
}

async function askAlone({ generator, plan: { logs } }: Bench, sides: readonly Side[], deviations: string[]): Promise<Alone> {
  const body = JSON.stringify({ message: QUESTION });
  const callers = sides.map(({ port }) => ({ port, path: '/chat', token: null, body }));
  const chats = await generator.run({ type: 'callers', targets: callers, count: logs.requests, atOnce: 1, warmUp: WARM_UP_REQUESTS });
  const targets = sides.map(({ port }) => ({ port, kind: 'stream', path: '/chat/stream' }) as const);
  const streams = await generator.run({ type: 'first_tokens', targets, count: logs.requests });
  deviations.push(...tellDeviations('/chat, one at a time', chats.deviations), ...tellDeviations('/chat/stream, one at a time', streams.deviations));
  return { took: chats.took, ending: streams.ending };
}

/** With a database that has no rows yet. */
async function measurePipeline({ plan, stack }: Bench, name: string): Promise<number> {
  await using own = stack.use(new AsyncDisposableStack());
  const postgres = name === POSTGRES ? await postgresOf(own) : null;
  if (typeof postgres === 'string') throw new Error(postgres);
  return await recordsPerSecond(plan.logs.records, postgres, own);
}

/** @returns how many records were on their way when it was first asked */
async function untilShipped(port: number): Promise<number> {
  for (let first: number | null = null; ; await delay(10)) {
    const response = await fetch(`http://127.0.0.1:${port}/status`);
    const { logs } = (await response.json()) as { readonly logs: { readonly enabled: boolean; readonly spooled: number } };
    const spooled = logs.enabled ? logs.spooled : 0;
    first ??= spooled;
    if (spooled === 0) return first;
  }
}

function reportOf(
  { plan }: Bench,
  sides: readonly Side[],
  rounds: readonly (readonly Round[])[],
  { took, ending }: Alone,
  pipeline: readonly (number | null)[],
): Omit<Finding, 'deviations' | 'notes'> {
  const row = (what: string, unit: string, figure: (side: number) => number | null): Row => {
    return { what, unit, figures: sides.map((_, side) => figure(side)), ratio: null };
  };
  const ofRounds = (figure: (round: Round) => number) => (side: number): number => median((rounds[side] ?? []).map(figure));
  const of = (summaries: readonly Summary[], share: 'p50' | 'p99') => (side: number): number => (summaries[side] ?? UNKNOWN)[share];
  const added = (summaries: readonly Summary[], share: 'p50' | 'p99') => (side: number): number | null =>
    side === 0 ? null : of(summaries, share)(side) - of(summaries, share)(0);
  const ratios = sides.map((_, side) => pairedRatio(rates(rounds, side), rates(rounds, 0)));
  const aims = sides.flatMap(({ name }, side): Aim[] => {
    if (side === 0) return [];
    const rate = ratios[side]?.median ?? NaN;
    const ms = added(ending, 'p50')(side) ?? NaN;
    return [
      { what: `${name}: at least ${LEAST_RATE} of the requests/s without a log`, measured: rate.toFixed(2), met: rate >= LEAST_RATE },
      { what: `${name}: less than ${MOST_ADDED_MS} ms added at the end`, measured: `${ms.toFixed(2)} ms at p50`, met: ms < MOST_ADDED_MS },
    ];
  });
  const records = pipeline[sides.findIndex(({ name }) => name === POSTGRES)] ?? null;
  if (records !== null) {
    aims.push({ what: `${POSTGRES}: at least ${LEAST_RECORDS} records/s`, measured: `${Math.round(records)}/s`, met: records >= LEAST_RECORDS });
  }
  return {
    title: `log of interactions: /chat as fast as it goes, c=${plan.logs.concurrency}; then one at a time, and what that is more than without a log`,
    sides: sides.map(({ name }) => name),
    rows: [
      row(`/chat c=${plan.logs.concurrency}`, 'requests/s', ofRounds(({ perSecond }) => perSecond)),
      ...sides.slice(1).map(({ name }, index): Row => {
        return { what: `${name}/off`, unit: 'of that', figures: sides.map(() => null), ratio: ratios[index + 1] ?? null };
      }),
      row('p50', 'ms', ofRounds(({ took }) => took.p50)),
      row('p99', 'ms', ofRounds(({ took }) => took.p99)),
      row('CPU of the server', 'ms/answer', ofRounds(({ cpuMs }) => cpuMs)),
      row('/chat, one at a time, p50', 'ms', of(took, 'p50')),
      row('/chat, one at a time, p99', 'ms', of(took, 'p99')),
      row('more of it, p50', 'ms', added(took, 'p50')),
      row('more of it, p99', 'ms', added(took, 'p99')),
      row('more from the last text of a stream to its end, p50', 'ms', added(ending, 'p50')),
      row('more from the last text of a stream to its end, p99', 'ms', added(ending, 'p99')),
      row('from the spool to the table', 'records/s', (side) => pipeline[side] ?? null),
    ],
    aims,
  };
}

function rates(rounds: readonly (readonly Round[])[], side: number): readonly number[] {
  return (rounds[side] ?? []).map(({ perSecond }) => perSecond);
}

function notesOf(sides: readonly Side[], rounds: readonly (readonly Round[])[], missing: string | null): readonly string[] {
  const notes = sides.slice(1).map(({ name }, index) => {
    const own = rounds[index + 1] ?? [];
    const postgresMs = median(own.map((round) => round.postgresMs)).toFixed(2);
    const spooled = median(own.map((round) => round.spooled));
    const told = `${name}: ${spooled} records still on their way at the end of a round; CPU until they are there`;
    return name === POSTGRES ? `${told}; PostgreSQL's own processes: ${postgresMs} CPU ms/answer` : told;
  });
  return missing === null ? notes : [...notes, missing];
}
