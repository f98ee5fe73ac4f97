// The bench's side of the load generator and of the model: one of each, for as long as the bench runs.
import { createJobSender } from './job_process.ts';
import type { Job, JobResults } from './load/jobs.ts';
import { forkModule } from './processes.ts';

export interface Model {
  readonly port: number;
  readonly pid: number;
}

export interface Generator {
  readonly pid: number;
  /** Runs a job to its end. @throws if the generator fails or has gone */
  readonly run: <J extends Job>(job: J) => Promise<JobResults[J['type']]>;
}

export async function startModel(children: AsyncDisposableStack): Promise<Model> {
  const { child, ready } = await forkModule('./model.ts', children);
  return { port: ready.port ?? 0, pid: child.pid ?? 0 };
}

export async function startGenerator(children: AsyncDisposableStack): Promise<Generator> {
  const { child } = await forkModule('./load.ts', children);
  const send = createJobSender(child, 'the load generator');
  const run = async <J extends Job>(job: J) => (await send(job)) as JobResults[J['type']];
  return { pid: child.pid ?? 0, run };
}
