// The log in PostgreSQL: records are committed into a queue, and moved from there to table `chat_logs`.
import pg from 'pg';
import type { LogRecord } from '../../shared/log_record.ts';
import { oncePerInteraction, POSTGRES_INSERT, POSTGRES_REUSED } from './columns.ts';
import { EXPIRE_BATCH, UnusableDatabase, type LogStore, type StoreSettings } from './log_store.ts';
import { migrate } from './migrate.ts';
import { openPostgres, type LinkTimeouts, type PostgresLink, type Transaction } from './postgres_link.ts';
import { openQueue, type LogQueue, type RecordsJob } from './queue.ts';
import { storable } from './storable.ts';
import { createWake } from './wake.ts';

/** How often the queue is looked at for what others put in, and for what is to be tried again. */
const LOOK_EVERY_MS = 500;
const COUNT_EVERY_MS = 60_000;
/**
 * SQLSTATE of what is to blame on the database, however the records are: connections, its being read-only, authorization, its name, transactions, the
 * table not there, no rights to it, resources, its state, the operator, the system, itself. All else is a record's doing, also what nobody has foreseen,
 * such as a trigger's own error: one record that is taken for the database's fault would keep all that follow from their place.
 */
const OF_DATABASE = /^(08|25|28|3D|40|42P01|42501|53|55|57|58|XX)/;
/** SQLSTATE of a statement that took too long: with fewer records it may not, such as where a trigger of somebody else's takes its time with each. */
const TOO_LONG = '57014';

/**
 * Connects, makes the tables and the queue where they are missing, and moves what waits in it.
 * @param signal ends that @param timeouts what a test may want shorter
 * @throws UnusableDatabase; the errors of pg and of the network, also when the signal comes
 */
export async function openPostgresStore(url: string, settings: StoreSettings, signal: AbortSignal, timeouts?: LinkTimeouts): Promise<LogStore> {
  const link = openPostgres(url, timeouts);
  let queue: LogQueue | null = null;
  const close = (): void => void link.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    await checkEncoding(link);
    await migrate(link);
    queue = await openQueue(link, settings.retentionDays);
    const store = postgresStore(link, queue, settings);
    // So that a table that cannot be written is known before the database is said to be there. What else waits, perhaps others' for hours, is moved meanwhile.
    await store.moveSome();
    return store;
  } catch (error) {
    await link.close();
    await queue?.close();
    throw error;
  } finally {
    signal.removeEventListener('abort', close);
  }
}

function postgresStore(link: PostgresLink, queue: LogQueue, { agentName, onDeadLetters, onReused }: StoreSettings): LogStore & { moveSome(): Promise<boolean> } {
  const wake = createWake();
  /** Jobs that failed since the last count. */
  let refused = 0;
  let countedAt = Number.NEGATIVE_INFINITY;

  const count = async (): Promise<void> => {
    refused = 0;
    countedAt = performance.now();
    onDeadLetters(await queue.countDeadLetters());
  };
  const moveNext = async (): Promise<boolean> => {
    const moved = await link.transaction((tx) => move(tx, queue));
    refused += moved.refused;
    if (moved.reused.length > 0) onReused(moved.reused);
    return moved.jobs > 0;
  };
  let moving: Promise<unknown> = Promise.resolve();
  /** One after another: whoever finds nothing knows that nothing is being moved by this store either. @returns whether there was anything */
  const moveSome = (): Promise<boolean> => {
    const moved = moving.then(moveNext);
    moving = moved.catch(() => undefined);
    return moved;
  };

  return {
    moveSome,
    async add(records) {
      await queue.put(records.map(storable));
      wake.now();
    },
    async work(signal) {
      while (!signal.aborted) {
        if (refused > 0 || performance.now() - countedAt > COUNT_EVERY_MS) await count();
        if (!(await moveSome())) await wake.wait(LOOK_EVERY_MS, signal);
      }
    },
    async settle() {
      while (await moveSome());
    },
    async expire(days) {
      const { rowCount } = await link.transaction((tx) =>
        tx.query(
          `DELETE FROM chat_logs WHERE ctid = ANY(ARRAY(
             SELECT ctid FROM chat_logs WHERE agent_name = $1 AND "timestamp" < now() - make_interval(days => $2)
             ORDER BY "timestamp" LIMIT ${EXPIRE_BATCH}))`,
          [agentName, days],
        ),
      );
      return rowCount === EXPIRE_BATCH;
    },
    maintain: () => queue.maintain(),
    async close() {
      await link.close();
      await queue.close();
    },
  };
}

/**
 * Moves some jobs into the table. What is undone, because the server or the connection ended, has not been taken: it is moved again. A record that
 * the database refuses keeps none of the others: its job is split up, and by itself it is tried again a few times. So is a job whose records together
 * take too long.
 */
async function move(tx: Transaction, queue: LogQueue): Promise<{ jobs: number; refused: number; reused: readonly string[] }> {
  const jobs = await queue.take(tx);
  if (jobs.length === 0) return { jobs: 0, refused: 0, reused: [] };
  const all = await insert(tx, jobs.flatMap(({ records }) => records));
  if (all.refusal === null) {
    await queue.remove(jobs, tx);
    return { jobs: jobs.length, refused: 0, reused: all.reused };
  }
  const moved: RecordsJob[] = [];
  const reused: string[] = [];
  let refused = 0;
  for (const job of jobs) {
    const { refusal: reason, reused: ids } = jobs.length === 1 ? all : await insert(tx, job.records);
    if (reason === null) {
      moved.push(job);
      reused.push(...ids);
    } else if (job.records.length > 1) {
      await queue.split(job, tx);
    } else {
      await queue.refuse(job, reason, tx);
      refused += 1;
    }
  }
  await queue.remove(moved, tx);
  return { jobs: jobs.length, refused, reused };
}

interface Inserted {
  /** Why the database refuses one of them, without its content; then nothing is inserted. */
  readonly refusal: string | null;
  /** Ids whose rows are other interactions'. */
  readonly reused: readonly string[];
}

async function insert(tx: Transaction, records: readonly LogRecord[]): Promise<Inserted> {
  const { once, reused } = oncePerInteraction(records);
  const json = JSON.stringify(once);
  await tx.query('SAVEPOINT batch');
  try {
    const { rowCount } = await tx.query(POSTGRES_INSERT, [json]);
    await tx.query('RELEASE SAVEPOINT batch');
    if (rowCount === once.length) return { refusal: null, reused };
    const { rows } = await tx.query(POSTGRES_REUSED, [json]);
    return { refusal: null, reused: [...reused, ...rows.map(({ interaction_id: id }) => id as string)] };
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || (OF_DATABASE.test(error.code ?? 'XX') && !(error.code === TOO_LONG && once.length > 1))) throw error;
    await tx.query('ROLLBACK TO SAVEPOINT batch');
    return { refusal: `PostgreSQL answered with the error ${error.code}`, reused: [] };
  }
}

/** In another encoding there are characters that cannot be stored. */
async function checkEncoding(link: PostgresLink): Promise<void> {
  const { rows } = await link.query("SELECT current_setting('server_encoding') AS encoding");
  const { encoding } = rows[0] as { readonly encoding: string };
  if (encoding !== 'UTF8') throw new UnusableDatabase(`its encoding is ${encoding}, and must be UTF8`);
}
