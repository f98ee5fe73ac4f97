// The load generator as a process of its own.
import { takeJobs } from './job_process.ts';
import { runClosedLoop } from './load/closed_loop.ts';
import { runFirstTokens } from './load/first_tokens.ts';
import type { Job } from './load/jobs.ts';
import { runPaced } from './load/paced.ts';

takeJobs(run);

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
