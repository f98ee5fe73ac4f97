// Records of the log as a service that is used for three months has them, the same ones in each run: sessions of users who come often or seldom.
import type { LogRecord, LogStatus } from '../shared/log_record.ts';
import { AGENT, MODEL_ID } from './agent_file.ts';

const DAY_MS = 86_400_000;
/** Less than LOG_RETENTION_DAYS, so that no row goes while it is counted. */
export const DAYS = 89;
const MINUTE_MS = 60_000;
const WORDS = 'what of the order that came late and why is its price not the one in the list of last week'.split(' ');
const MAX_QUESTION_WORDS = 50;
const MAX_ANSWER_WORDS = 250;

/** How often each comes, of 100. */
type Shares<T> = readonly (readonly [value: T, share: number])[];
const STATUSES: Shares<LogStatus> = [['success', 92], ['error', 4], ['cancelled', 2], ['timeout', 1], ['interrupted', 1]];
const ENDPOINTS: Shares<string> = [['/chat/stream', 60], ['/chat', 36], ['/chat/stream/with-files', 3], ['/chat/with-files', 1]];
const HEADERS = {
  accept: 'text/event-stream',
  'accept-encoding': 'gzip, deflate, br',
  'content-length': '212',
  'content-type': 'application/json',
  host: 'agent.example.com',
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
};

export interface Spread {
  readonly records: number;
  readonly sessions: number;
  readonly users: number;
  /** The newest is before it, in ms since 1970. */
  readonly untilMs: number;
}

/** In the order of time. */
export function* logRecords(spread: Spread): Generator<LogRecord> {
  const random = createRandom(7);
  const { users } = spread;
  // A few users have many sessions: by the square, the first tenth of them has a third of all.
  const userOf = Uint32Array.from({ length: spread.sessions }, () => Math.floor(users * random() ** 2));
  const moments = momentsOf(spread, random);
  for (const [number, { ms, session }] of moments.entries()) yield recordOf(number, ms, session, userOf[session] ?? 0, random);
}

export const sessionId = (session: number): string => uuid(session, 0x5e55);
export const userId = (user: number): string => `user-${user}`;

/** A session's turns follow each other within minutes. */
function momentsOf({ records, sessions, untilMs }: Spread, random: () => number): { readonly ms: number; readonly session: number }[] {
  const begun = Float64Array.from({ length: sessions }, () => untilMs - DAY_MS * DAYS * random());
  const turns = new Uint32Array(sessions);
  const moments = Array.from({ length: records }, (_, index) => {
    const session = index % sessions;
    const turn = (turns[session] = (turns[session] ?? 0) + 1);
    return { ms: Math.min(untilMs - 1, (begun[session] ?? 0) + turn * MINUTE_MS * random()), session };
  });
  return moments.sort((a, b) => a.ms - b.ms);
}

function recordOf(number: number, ms: number, session: number, user: number, random: () => number): LogRecord {
  const status = chosen(STATUSES, random);
  const isWhole = status === 'success';
  const words = Math.ceil(MAX_ANSWER_WORDS * random() ** 2);
  const tookMs = isWhole ? 300 + words * 20 * (0.5 + random()) : 1000 * random();
  const usage = isWhole ? { input_tokens: 200 + Math.floor(2000 * random()), output_tokens: words, total_tokens: 0 } : null;
  if (usage !== null) usage.total_tokens = usage.input_tokens + usage.output_tokens;
  return {
    interaction_id: uuid(number, Math.floor(0x1_0000_0000 * random())),
    timestamp: new Date(ms).toISOString(),
    agent_name: AGENT,
    session_id: sessionId(session),
    user_id: userId(user),
    owner: `user:${userId(user)}`,
    endpoint: chosen(ENDPOINTS, random),
    input_message: text(Math.ceil(MAX_QUESTION_WORDS * random()), number),
    output_response: isWhole ? text(words, number) : null,
    request_headers: HEADERS,
    model_info: { model_id: MODEL_ID, provider: 'openai' },
    token_usage: usage,
    total_tokens: usage?.total_tokens ?? null,
    response_time_ms: status === 'interrupted' ? null : tookMs,
    time_to_first_token_ms: isWhole ? 100 + 400 * random() : null,
    queue_ms: 0.1 + random(),
    status,
    error_code: status === 'error' ? 'model_failed' : null,
    error_message: status === 'error' ? 'The model could not be used.' : null,
    files: null,
  };
}

function text(words: number, from: number): string {
  return Array.from({ length: words }, (_, index) => WORDS[(from * 7 + index * (1 + (from % 5))) % WORDS.length]).join(' ');
}

function chosen<T>(shares: Shares<T>, random: () => number): T {
  let left = 100 * random();
  return (shares.find(([, share]) => (left -= share) < 0) ?? (shares[0] as Shares<T>[number]))[0];
}

/** A UUID whose first digits are spread as those of a random one are, though the numbers follow each other. */
function uuid(number: number, salt: number): string {
  const hex = (value: number, length: number): string => (value >>> 0).toString(16).padStart(8, '0').slice(-length);
  return `${hex(Math.imul(number + 1, 0x9e37_79b1) ^ salt, 8)}-${hex(salt, 4)}-4000-8000-${String(number).padStart(12, '0')}`;
}

/** Mulberry32, by Tommy Ettinger: from 0 to less than 1, the same from the same seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
