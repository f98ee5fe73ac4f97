// The load generator as a process of its own.
import { takeJobs } from './job_process.ts';
import { runCallers } from './load/callers.ts';
import { runClosedLoop } from './load/closed_loop.ts';
import { runFirstTokens } from './load/first_tokens.ts';
import type { Job } from './load/jobs.ts';
import { runPaced } from './load/paced.ts';
import { runWrongTokens } from './load/wrong_tokens.ts';

takeJobs(run);

function run(job: Job): Promise<unknown> {
  switch (job.type) {
    case 'closed_loop':
      return runClosedLoop(job);
    case 'paced':
      return runPaced(job);
    case 'first_tokens':
      return runFirstTokens(job);
    case 'callers':
      return runCallers(job);
    case 'wrong_tokens':
      return runWrongTokens(job);
    default:
      return job satisfies never;
  }
}
