// What the bench asks of the load generator, and what it answers.
import type { Summary } from '../statistics.ts';

/** One route of one server. `model` is the upstream itself, asked directly. */
export interface Target {
  readonly port: number;
  readonly kind: 'chat' | 'stream' | 'model';
  /** For `model`: the path to post to. */
  readonly path: string;
}

/** `concurrency` askers, each of which asks again when its answer is whole, for a time. */
export interface LoopJob {
  readonly concurrency: number;
  readonly durationMs: number;
}

/** A connection for each asker. */
export interface ClosedLoopJob extends LoopJob {
  readonly type: 'closed_loop';
  readonly target: Target;
}

/** Paced streams, always `streams` of them open once all have begun, begun evenly over the time that one of them takes. */
export interface PacedJob {
  readonly type: 'paced';
  readonly target: Target;
  readonly streams: number;
  /** How long all of them are open. */
  readonly durationMs: number;
}

/** `count` requests to each target, one at a time and by turns. */
export interface FirstTokensJob {
  readonly type: 'first_tokens';
  readonly targets: readonly Target[];
  readonly count: number;
}

export interface CallerTarget {
  readonly port: number;
  readonly path: string;
  /** null: sent without one. */
  readonly token: string | null;
  /** JSON of a POST; null: a GET. */
  readonly body: string | null;
}

/** `count` requests to each target, by turns, `atOnce` of them at a time. */
export interface CallersJob {
  readonly type: 'callers';
  readonly targets: readonly CallerTarget[];
  readonly count: number;
  readonly atOnce: number;
  /** Not counted, before the others. */
  readonly warmUp: number;
  /** It ends after so long without the warm-up, however many there were; left out: when there were `count`. */
  readonly withinMs?: number;
}

/** Requests with wrong tokens, one at a time on each connection: as many a second as the server answers, at most `perSecond`. */
export interface WrongTokensJob {
  readonly type: 'wrong_tokens';
  readonly port: number;
  readonly path: string;
  readonly perSecond: number;
  readonly connections: number;
  readonly durationMs: number;
}

export type Job = ClosedLoopJob | PacedJob | FirstTokensJob | CallersJob | WrongTokensJob;

/** Answers that were not what they have to be: how many, and the first few. */
export interface Deviations {
  readonly count: number;
  readonly examples: readonly string[];
}

export interface ClosedLoopResult {
  readonly completed: number;
  readonly elapsedMs: number;
  /** From a request to the end of its answer, in ms. */
  readonly took: Summary;
  readonly deviations: Deviations;
}

export interface PacedResult {
  readonly completed: number;
  /** While all streams were open. */
  readonly eventsPerSecond: number;
  /** From the model's write to our read, in ms. */
  readonly lateness: Summary;
  readonly deviations: Deviations;
}

export interface FirstTokensResult {
  /** From the request's write to the first piece of text, in ms; one summary for each target, in order. */
  readonly firstToken: readonly Summary[];
  /** From the last piece of text to the end of the answer, in ms; likewise. */
  readonly ending: readonly Summary[];
  readonly deviations: Deviations;
}

export interface CallersResult {
  /** From the request to the end of its answer, in ms; one summary for each target, in order. */
  readonly took: readonly Summary[];
  readonly deviations: Deviations;
}

export interface WrongTokensResult {
  /** Answers. */
  readonly perSecond: number;
  readonly deviations: Deviations;
}

export interface JobResults {
  readonly closed_loop: ClosedLoopResult;
  readonly paced: PacedResult;
  readonly first_tokens: FirstTokensResult;
  readonly callers: CallersResult;
  readonly wrong_tokens: WrongTokensResult;
}
