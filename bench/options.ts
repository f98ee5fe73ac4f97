// The bench's command line, and how long each measurement lasts because of it.
import { parseArgs } from 'node:util';
import type { LoadShape } from '../test/helpers/counted_load.ts';
import type { Api } from './apis.ts';

const STAGES = ['chat', 'stream', 'paced', 'idle', 'start', 'agents', 'access', 'logs'] as const;
/** Run only where they are asked for. */
const LONG_STAGES = ['log-table', 'restarts'] as const;
const ALL_STAGES = [...STAGES, ...LONG_STAGES] as const;
export type Stage = (typeof ALL_STAGES)[number];

export interface Plan {
  readonly stages: ReadonlySet<Stage>;
  /** A second bare server in the place of ours: every ratio must then be about 1. */
  readonly selfCheck: boolean;
  readonly workers: number;
  readonly throughput: readonly ThroughputPlan[];
  readonly paced: { readonly streams: number; readonly durationMs: number; readonly warmUps: number; readonly pairs: number };
  readonly idleRequests: number;
  readonly starts: number;
  readonly agents: readonly AgentsPlan[];
  readonly agentStarts: number;
  readonly access: AccessPlan;
  readonly logs: LogsPlan;
  readonly logTable: LogTablePlan;
  readonly restarts: { readonly rounds: number; readonly load: LoadShape };
}

export interface ThroughputPlan {
  readonly api: Api;
  readonly concurrencies: readonly number[];
  readonly pairs: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
}

export interface AgentsPlan {
  readonly api: Api;
  readonly concurrency: number;
  readonly rounds: number;
  readonly roundMs: number;
  /** By answers, not by time: an answer costs up to three times as much before V8 has compiled what it takes. */
  readonly warmUpAnswers: number;
}

export interface AccessPlan {
  /** To each of those that ask when nothing else does. */
  readonly requests: number;
  /** How long two callers ask alone, and then beside wrong tokens. */
  readonly besideMs: number;
}

export interface LogsPlan {
  readonly concurrency: number;
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
  /** One at a time. */
  readonly requests: number;
  /** Through the pipeline to either database. */
  readonly records: number;
}

export interface LogTablePlan {
  readonly rows: number;
  readonly sessions: number;
  readonly users: number;
  /** Of each question. */
  readonly times: number;
  /** One at a time, beside questions and without. */
  readonly chats: number;
}

/** Reads the options. @throws on an unknown one, in words for the person at the terminal */
export function parsePlan(args: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...args],
    options: { quick: { type: 'boolean' }, only: { type: 'string' }, 'self-check': { type: 'boolean' } },
  });
  const only = values.only;
  const stage = ALL_STAGES.find((name) => name === only);
  if (only !== undefined && stage === undefined) throw new Error(`--only: expected one of ${ALL_STAGES.join(', ')}, got ${only}`);
  const shared = { stages: new Set<Stage>(stage === undefined ? STAGES : [stage]), selfCheck: values['self-check'] ?? false, workers: 2 };
  return values.quick === true ? { ...shared, ...QUICK } : { ...shared, ...FULL };
}

type Lengths = Omit<Plan, 'stages' | 'selfCheck' | 'workers'>;

const FULL: Lengths = {
  throughput: [
    { api: 'chat_completions', concurrencies: [32, 64], pairs: 5, roundMs: 2000, warmUpMs: 2000 },
    { api: 'responses', concurrencies: [32], pairs: 3, roundMs: 2000, warmUpMs: 2000 },
  ],
  paced: { streams: 400, durationMs: 4000, warmUps: 1, pairs: 3 },
  idleRequests: 500,
  starts: 5,
  agents: [
    { api: 'responses', concurrency: 16, rounds: 7, roundMs: 350, warmUpAnswers: 1500 },
    { api: 'chat_completions', concurrency: 16, rounds: 5, roundMs: 350, warmUpAnswers: 1500 },
  ],
  agentStarts: 3,
  access: { requests: 3000, besideMs: 8000 },
  logs: { concurrency: 32, rounds: 7, roundMs: 2000, warmUpMs: 3000, requests: 2000, records: 60_000 },
  logTable: { rows: 1_000_000, sessions: 50_000, users: 2000, times: 7, chats: 1500 },
  restarts: { rounds: 20, load: { streams: 100, keptAlive: 50, fresh: 50, pieceMs: 30 } },
};

const QUICK: Lengths = {
  throughput: [{ api: 'chat_completions', concurrencies: [32], pairs: 2, roundMs: 500, warmUpMs: 500 }],
  paced: { streams: 400, durationMs: 400, warmUps: 0, pairs: 1 },
  idleRequests: 100,
  starts: 1,
  agents: [{ api: 'responses', concurrency: 16, rounds: 2, roundMs: 300, warmUpAnswers: 100 }],
  agentStarts: 1,
  access: { requests: 300, besideMs: 1500 },
  logs: { concurrency: 32, rounds: 2, roundMs: 500, warmUpMs: 500, requests: 200, records: 5000 },
  logTable: { rows: 20_000, sessions: 1000, users: 100, times: 2, chats: 200 },
  restarts: { rounds: 3, load: { streams: 20, keptAlive: 10, fresh: 10, pieceMs: 30 } },
};
