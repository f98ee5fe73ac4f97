// The queue between the spool and table `chat_logs`: pg-boss, in the same database; whatever server is there moves what any of them put in.
import { PgBoss, type ConstructorOptions } from 'pg-boss';
import type { LogRecord } from '../../shared/log_record.ts';
import { alone } from './migrate.ts';
import type { PostgresLink, Transaction } from './postgres_link.ts';

/** A schema of its own: another application's pg-boss, of whatever version, is not met. */
const SCHEMA = 'chat_logs_queue';
const QUEUE = 'chat_logs';
const DEAD_LETTERS = 'chat_logs_dead';

/** A job's records: a job for each would cost ten times as much, and one of some hundred long ones would not fit into memory. */
const JOB_RECORDS = 500;
const JOB_BYTES = 1024 * 1024;
/** Jobs that are moved in one transaction. */
const JOBS_AT_ONCE = 4;

const RETRY_LIMIT = 3;
/** pg-boss's own limit; it counts from when a job is put in. */
const MAX_RETENTION_DAYS = 365;
const DAY_S = 86_400;

export interface RecordsJob {
  readonly id: string;
  readonly retryCount: number;
  readonly records: readonly LogRecord[];
}

export interface LogQueue {
  /** Commits the records into the queue. */
  put(records: readonly LogRecord[]): Promise<void>;
  /** Takes jobs that wait: they are nobody else's until the transaction ends, and wait again when it is undone. */
  take(tx: Transaction): Promise<readonly RecordsJob[]>;
  /** Nothing of the jobs stays. */
  remove(jobs: readonly RecordsJob[], tx: Transaction): Promise<void>;
  /** Puts each record of the job in as a job of its own. */
  split(job: RecordsJob, tx: Transaction): Promise<void>;
  /** To be taken again later, or never again when that was so often enough. @param reason without content */
  refuse(job: RecordsJob, reason: string, tx: Transaction): Promise<void>;
  countDeadLetters(): Promise<number>;
  /** Deletes what was kept for too long, in either queue. */
  maintain(): Promise<void>;
  /** To be called when the link is closed: it asks nothing more. */
  close(): Promise<void>;
}

/** @param retentionDays 0: for as long as pg-boss keeps a job */
export async function openQueue(link: PostgresLink, retentionDays: number): Promise<LogQueue> {
  const boss = new PgBoss({
    db: databaseOf(link),
    schema: SCHEMA,
    // Its own timers would ask a database that is known to be away; `maintain` is theirs.
    supervise: false,
    schedule: false,
    registerInstance: false,
    openTelemetry: { enabled: false },
  });
  // What matters of these is told by the call that failed.
  boss.on('error', () => undefined);
  boss.on('warning', () => undefined);
  const retentionSeconds = Math.min(retentionDays || MAX_RETENTION_DAYS, MAX_RETENTION_DAYS) * DAY_S;
  const close = (): Promise<void> => boss.stop({ graceful: false, close: false }).catch(() => undefined);
  try {
    // pg-boss takes a lock of its own only after CREATE SCHEMA IF NOT EXISTS, of which one fails when two begin it at the same time.
    await alone(link, async () => {
      await boss.start();
      await boss.createQueue(DEAD_LETTERS);
      // Without this it keeps them for 14 days; and creating changes nothing of a queue that is there.
      await boss.updateQueue(DEAD_LETTERS, { retentionSeconds });
      await boss.createQueue(QUEUE, { deadLetter: DEAD_LETTERS, retryLimit: RETRY_LIMIT, retryDelay: 1, retryBackoff: true });
    });
  } catch (error) {
    await close();
    throw error;
  }
  const insert = (groups: readonly (readonly LogRecord[])[], tx: Transaction): Promise<unknown> =>
    boss.insert(QUEUE, groups.map((records) => ({ data: { records }, retentionSeconds })), { db: databaseOf(tx) });

  return {
    put: (records) => link.transaction((tx) => insert(groupsOf(records), tx)).then(() => undefined),
    async take(tx) {
      const jobs = await boss.fetch<Pick<RecordsJob, 'records'>>(QUEUE, { batchSize: JOBS_AT_ONCE, db: databaseOf(tx) });
      return jobs.map(({ id, retryCount, data }) => ({ id, retryCount, records: data.records }));
    },
    async remove(jobs, tx) {
      if (jobs.length > 0) await boss.deleteJob(QUEUE, jobs.map(({ id }) => id), { db: databaseOf(tx) });
    },
    async split(job, tx) {
      await insert(job.records.map((record) => [record]), tx);
      await boss.deleteJob(QUEUE, [job.id], { db: databaseOf(tx) });
    },
    async refuse(job, reason, tx) {
      await boss.fail(QUEUE, job.id, { reason }, { db: databaseOf(tx) });
      // One that failed for good is in the other queue now, which is its only place.
      if (job.retryCount >= RETRY_LIMIT) await boss.deleteJob(QUEUE, [job.id], { db: databaseOf(tx) });
    },
    async countDeadLetters() {
      const { rows } = await link.query(`SELECT count(*)::int AS count FROM ${SCHEMA}.job WHERE name = $1`, [DEAD_LETTERS]);
      return rows[0].count as number;
    },
    maintain: () => boss.supervise(),
    close,
  };
}

/** pg-boss asks through our connections, or within a transaction of ours. */
function databaseOf(asked: Transaction): NonNullable<ConstructorOptions['db']> {
  return { executeSql: (text, values) => asked.query(text, values) };
}

function groupsOf(records: readonly LogRecord[]): readonly (readonly LogRecord[])[] {
  const groups: LogRecord[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const record of records) {
    const length = (record.input_message?.length ?? 0) + (record.output_response?.length ?? 0);
    const group = groups.at(-1);
    if (group === undefined || group.length === JOB_RECORDS || bytes + length > JOB_BYTES) {
      groups.push([record]);
      bytes = length;
    } else {
      group.push(record);
      bytes += length;
    }
  }
  return groups;
}
