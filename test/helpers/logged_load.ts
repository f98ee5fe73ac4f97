// Chats and streams in a loop against a server that may be killed meanwhile, and what its clients have seen of each.
import { randomUUID } from 'node:crypto';
import type { LogStatus } from '../../shared/log_record.ts';
import { chat, stream } from './http_client.ts';

export interface Seen {
  /** By id how each ended whose answer or terminal event came. */
  readonly ended: Map<string, LogStatus>;
  /** Ids of those whose start event came. */
  readonly started: Set<string>;
  /** How long each answer took, in ms. */
  readonly tookMs: number[];
  /** Answers that were none of the agent's, such as 503. */
  readonly refused: string[];
  /** Why there was no whole answer, for each question that had none. */
  readonly unanswered: string[];
}

export const nothingSeen = (): Seen => ({ ended: new Map(), started: new Set(), tookMs: [], refused: [], unanswered: [] });

type Messages = readonly (readonly [message: string, status: LogStatus])[];

/** Messages for the agent `puppet`, and what becomes of them. */
const MESSAGES: Messages = [
  ['say hello', 'success'],
  ['say a\nsay b\nsay c', 'success'],
  ['say before\nfail on purpose', 'error'],
];

export interface Load {
  readonly seen: Seen;
  /** Resolves when all that was begun is over, or its connection is. */
  stop(): Promise<void>;
}

/**
 * Nothing is asked twice.
 * @param askers each asks again when its answer is there; every other one by a stream @param pauseMs between an answer and the next question
 */
export function startLoad(url: string, askers: number, seen = nothingSeen(), pauseMs = 0, messages = MESSAGES): Load {
  let isOver = false;
  const run = async (asker: number): Promise<void> => {
    for (let turn = asker; !isOver; turn += 1) {
      const [message, status] = messages[turn % messages.length] as Messages[number];
      const asked = performance.now();
      // A server that is gone refuses.
      const answered = await (asker % 2 === 0 ? askOnce : followOnce)(url, message, status, seen).catch(String);
      if (answered === true) seen.tookMs.push(performance.now() - asked);
      else seen.unanswered.push(answered === false ? 'no whole answer' : answered);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  const running = Promise.all(Array.from({ length: askers }, (_, asker) => run(asker)));
  return {
    seen,
    async stop() {
      isOver = true;
      await running;
    },
  };
}

async function askOnce(url: string, message: string, status: LogStatus, seen: Seen): Promise<boolean> {
  const id = randomUUID();
  const answer = await chat(url, { message, interaction_id: id });
  const code = answer.json['code'];
  if (answer.status !== 200 && code !== 'AGENT_FAILED' && code !== 'SHUTTING_DOWN') {
    seen.refused.push(`${answer.status} ${String(code)}`);
    return false;
  }
  seen.ended.set(id, code === 'SHUTTING_DOWN' ? 'error' : status);
  return true;
}

/** One that is cut after its last event has been seen to end. */
export async function followOnce(url: string, message: string, status: LogStatus, seen: Seen): Promise<boolean> {
  const id = randomUUID();
  const opened = await stream(url, { message, interaction_id: id });
  await opened.ended;
  const { events } = opened;
  if (events.some(({ content }) => content.type === 'start')) seen.started.add(id);
  const last = events.at(-1)?.content;
  if (last?.type === 'output') seen.ended.set(id, 'success');
  else if (last?.type === 'error') seen.ended.set(id, last.error?.code === 'agent_failed' ? status : 'error');
  else return false;
  return true;
}
