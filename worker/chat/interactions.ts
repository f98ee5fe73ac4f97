// The interactions that run in this worker: starts each in its own scope, and says exactly once how it ended.
import type { SessionItem } from '../../shared/chat.ts';
import { AppError, isEndCode } from '../../shared/errors.ts';
import { CLAIM_FREE, CLAIM_STARTED, FIRST_CLAIM_CELL, type InteractionEnd, type InteractionTask, type LogFrameLevel } from '../../shared/protocol.ts';
import type { AgentContext, AgentLogger, LoadedAgent, UsageMeter } from './agents/agent.ts';
import { createAnswer, type GrowingAnswer } from './answer.ts';
import { createUsageMeter } from './engine/usage.ts';
import type { Isolation, Scope } from './isolation.ts';
import type { Line } from './line.ts';
import { reasonOf } from './reason.ts';
import { createRunningCode, type RunningCode } from './running_code.ts';

interface Running {
  readonly answer: GrowingAnswer;
  readonly abort: AbortController;
  readonly code: RunningCode;
}

export interface Interactions {
  run(task: InteractionTask): void;
  /** @param graceMs how long the agent's code may take to end: the supervisor is told where it does not */
  cancel(id: string, graceMs: number): void;
  credit(id: string, units: number): void;
}

export function createInteractions(agentName: string, agent: LoadedAgent, isolation: Isolation, line: Line, shared: Int32Array): Interactions {
  const running = new Map<string, Running>();

  const run = (task: InteractionTask): void => {
    const cell = FIRST_CLAIM_CELL + task.seat;
    if (Atomics.compareExchange(shared, cell, CLAIM_FREE, CLAIM_STARTED) !== CLAIM_FREE) {
      line.post({ type: 'skipped', seat: task.seat });
      return;
    }

    const abort = new AbortController();
    const usage = createUsageMeter();
    const stray = Promise.withResolvers<InteractionEnd>();
    const env = Object.assign(Object.create(null) as Record<string, string>, isolation.base, agent.environment, task.env);
    const scope: Scope = {
      id: task.id,
      env,
      fail: (error) => {
        stray.resolve(failed(new AppError('AGENT_FAILED'), usage));
        abort.abort(error);
      },
    };
    const code = createRunningCode();
    const answer = createAnswer({
      id: task.id,
      agentName,
      message: task.message,
      files: task.files,
      verbose: task.verbose,
      joinText: task.joinText,
      signal: abort.signal,
      line,
      code,
    });
    running.set(task.id, { answer, abort, code });
    const work = isolation.enter(scope, () => Promise.race([answerTask(task, env, answer, usage, abort.signal), stray.promise]));
    const ended = work.catch((error: unknown) => failed(new AppError('AGENT_FAILED', {}, { cause: error }), usage));
    void ended.then((end) => {
      // What it started, such as a tool beside the one that failed it, is not to go on without it.
      if (end.status === 'error') abort.abort(new AppError(end.code));
      isolation.leave(scope);
      running.delete(task.id);
      line.post({ type: 'ended', id: task.id, end });
    });
  };

  /** Never rejects. */
  const answerTask = async (
    task: InteractionTask,
    env: Readonly<Record<string, string>>,
    answer: GrowingAnswer,
    usage: UsageMeter,
    signal: AbortSignal,
  ): Promise<InteractionEnd> => {
    const logger = loggerOf(line, task.id);
    try {
      line.post({ type: 'started', id: task.id, model: agent.modelFor(env) });
      const history = task.turns.flatMap((turn) => JSON.parse(turn) as SessionItem[]);
      const context: AgentContext = {
        agentName,
        interactionId: task.id,
        sessionId: task.sessionId,
        userId: task.userId,
        history,
        files: task.files,
        env,
        signal,
        logger,
      };
      const end = await agent.run({ message: task.message, history, turnCount: task.turnCount }, context, answer, usage);
      return answer.finish(end);
    } catch (error) {
      if (!signal.aborted) logger.error(reasonOf(error));
      return failed(error instanceof AppError ? error : new AppError('AGENT_FAILED'), usage);
    }
  };

  return {
    run,
    cancel(id, graceMs) {
      const cancelled = running.get(id);
      if (cancelled === undefined || cancelled.abort.signal.aborted) return;
      cancelled.abort.abort(new AppError('CANCELLED'));
      setTimeout(() => {
        if (!cancelled.code.runs) return;
        line.post({ type: 'deaf', id });
        void cancelled.code.ended().then(() => line.post({ type: 'heard', id }));
      }, graceMs).unref();
    },
    credit(id, units) {
      running.get(id)?.answer.credit(units);
    },
  };
}

function failed(error: AppError, usage: UsageMeter): InteractionEnd {
  return { status: 'error', code: isEndCode(error.code) ? error.code : 'AGENT_FAILED', message: error.message, usage: usage.total() };
}

function loggerOf(line: Line, id: string): AgentLogger {
  const log = (level: LogFrameLevel) => (message: string) => line.postLog(id, level, String(message));
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}
