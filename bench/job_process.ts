// A forked process that takes one job at a time from the bench and answers with what it measured: both ends of that.
import type { ChildProcess } from 'node:child_process';

type Message =
  | { readonly type: 'ready' }
  | { readonly type: 'result'; readonly result: unknown }
  | { readonly type: 'failed'; readonly message: string };

/** In the process: says that it is ready, and runs each job that comes; ends with its parent. */
export function takeJobs<J>(run: (job: J) => Promise<unknown>): void {
  const tell = (message: Message) => void process.send?.(message);
  process.on('message', (job: J) => {
    run(job).then(
      (result) => tell({ type: 'result', result }),
      (error: unknown) => tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) }),
    );
  });
  process.on('disconnect', () => process.exit());
  tell({ type: 'ready' });
}

/** In the bench: a function that gives the process a job and resolves with its result. @throws if the process fails or has gone */
export function createJobSender(child: ChildProcess, name: string): (job: object) => Promise<unknown> {
  let settle: ((message: Message) => void) | null = null;
  child.on('message', (message: Message) => settle?.(message));
  child.on('exit', () => settle?.({ type: 'failed', message: `${name} ended` }));

  return async (job) => {
    const answer = new Promise<Message>((resolve) => (settle = resolve));
    child.send(job);
    const message = await answer;
    if (message.type === 'result') return message.result;
    throw new Error(message.type === 'failed' ? message.message : `unexpected ${message.type}`);
  };
}
