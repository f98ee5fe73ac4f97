// Clients that never ask twice, against a server that is reloaded, and a count of everything that went wrong.
import { Agent } from 'node:http';
import { chat, send, stream, type Sent } from './http_client.ts';
import { answerOf } from './releases.ts';

export interface LoadShape {
  /** Streams at a time; each is followed by another. */
  readonly streams: number;
  /** Clients with one connection each that is used again and again. */
  readonly keptAlive: number;
  /** Clients that open a connection for each request. */
  readonly fresh: number;
  /** Between two pieces of a streamed answer, in ms. */
  readonly pieceMs: number;
  /** Of every request. */
  readonly headers?: Sent['headers'];
}

export interface Tally {
  /** Whole answers by version. */
  readonly answers: Map<string, number>;
  /** What was none: refused, cut, of two versions, with a gap. */
  readonly failures: string[];
  /** Longest answer of a client that does not stream, in ms. */
  slowestMs: number;
}

export interface CountedLoad {
  readonly tally: Tally;
  /** Resolves with the number of whole answers when the last one is over. */
  stop(): Promise<number>;
}

/** A connection that was taken and forgotten is a failure too, and never ends by itself. */
const ANSWERED_MS = 30_000;

/** The version that a whole answer names; an error where it is no whole answer of one version. */
function versionOf(text: string): string {
  const version = text.trim().split(' ')[0] ?? '';
  if (text !== answerOf(version)) throw new Error(`an answer of no one version: ${text}`);
  return version;
}

async function askStream(url: string, pieceMs: number, headers: Sent['headers']): Promise<string> {
  const opened = await stream(url, { message: String(pieceMs) }, headers);
  const text = await opened.ended;
  if (!text.endsWith('data: [DONE]\n\n')) throw new Error(`a stream was cut: ${opened.status} ${text.slice(-200)}`);
  const { events } = opened;
  if (events.some(({ id }, index) => id !== index + 1)) throw new Error(`a gap in the numbers of events: ${events.map(({ id }) => id).join()}`);
  const last = events.at(-1)?.content;
  if (last?.type !== 'output') throw new Error(`a stream ended with ${JSON.stringify(last)}`);
  const pieces = events.flatMap(({ content }) => (content.type === 'text' ? [content.content] : [])).join('');
  if (pieces !== last.content) throw new Error('the pieces are not the answer');
  return versionOf(pieces);
}

async function ask(url: string, headers: Sent['headers'] = {}, agent?: Agent): Promise<string> {
  const body = { message: '0' };
  const { status, json, text } = agent === undefined ? await chat(url, body, headers) : await send(url, '/chat', { method: 'POST', body, headers, agent });
  if (status !== 200) throw new Error(`answered ${status} ${text.slice(0, 200)}`);
  return versionOf(String(json['response']));
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${ANSWERED_MS / 1000} s`)), ANSWERED_MS);
  return Promise.race([answer, late.promise]).finally(() => clearTimeout(timer));
}

/** @param pauseMs between an answer and the next request of those that do not stream */
export function startCountedLoad(url: string, { streams, keptAlive, fresh, pieceMs, headers }: LoadShape, pauseMs = 20): CountedLoad {
  const tally: Tally = { answers: new Map(), failures: [], slowestMs: 0 };
  let isOver = false;
  const agents: Agent[] = [];
  const loop = async (once: () => Promise<string>, restMs: number): Promise<void> => {
    while (!isOver) {
      try {
        const version = await inTime(once());
        tally.answers.set(version, (tally.answers.get(version) ?? 0) + 1);
      } catch (error) {
        tally.failures.push(error instanceof Error ? error.message : String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, restMs));
    }
  };
  const timed = (agent?: Agent) => async (): Promise<string> => {
    const began = performance.now();
    const version = await ask(url, headers, agent);
    tally.slowestMs = Math.max(tally.slowestMs, performance.now() - began);
    return version;
  };
  const running = [
    ...Array.from({ length: streams }, () => loop(() => askStream(url, pieceMs, headers), 0)),
    ...Array.from({ length: keptAlive }, () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      agents.push(agent);
      return loop(timed(agent), pauseMs);
    }),
    ...Array.from({ length: fresh }, () => loop(timed(), pauseMs)),
  ];
  return {
    tally,
    async stop() {
      isOver = true;
      await Promise.all(running);
      for (const agent of agents) agent.destroy();
      return [...tally.answers.values()].reduce((sum, count) => sum + count, 0);
    },
  };
}
