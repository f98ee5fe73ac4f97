// The load generator as a process of its own: takes one job at a time from its parent and answers with what it measured.
import { runClosedLoop } from './load/closed_loop.ts';
import { runFirstTokens } from './load/first_tokens.ts';
import type { Job, LoadMessage } from './load/jobs.ts';
import { runPaced } from './load/paced.ts';

process.on('message', (job: Job) => {
  run(job).then(
    (result) => tell({ type: 'result', result }),
    (error: unknown) => tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit());
tell({ type: 'ready' });

function run(job: Job): Promise<unknown> {
  switch (job.type) {
    case 'closed_loop':
      return runClosedLoop(job);
    case 'paced':
      return runPaced(job);
    case 'first_tokens':
      return runFirstTokens(job);
    default:
      return job satisfies never;
  }
}

function tell(message: LoadMessage): void {
  process.send?.(message);
}
