// An agent run directly, in the one thread of a process of its own: no server, no session, nobody to send the answer to.
import { parseArgs } from 'node:util';
import { APIS, type Api } from './apis.ts';
import { takeJobs } from './job_process.ts';
import type { LoopJob } from './load/jobs.ts';
import { runLoop, type Ask } from './load/loop.ts';

const { values: flags } = parseArgs({ options: { engine: { type: 'string' }, 'base-url': { type: 'string' }, api: { type: 'string' } } });
const ask = await createAsk(flags['base-url'] ?? '', APIS.find((api): api is Api => api === flags.api) ?? 'chat_completions');
takeJobs(({ concurrency, durationMs }: LoopJob) => runLoop(Array<Ask>(concurrency).fill(ask), durationMs));

/** Imports what its engine needs, and no more: the memory of one is not that of both. */
async function createAsk(modelUrl: string, api: Api): Promise<Ask> {
  if (flags.engine === 'sdk') return (await import('./direct/sdk.ts')).createSdkAsk();
  return (await import('./direct/declarative.ts')).createDeclarativeAsk(modelUrl, api);
}
