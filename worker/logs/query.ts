// The thread that answers questions to the log: it only reads, and keeps nothing between them.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import type { LogListing, LogQuestion, QueryCommand, QueryReport, QuerySettings } from '../../shared/log_protocol.ts';
import { QueryError, type Asker, type QueryDatabase } from './query_database.ts';
import { listingOf } from './query_listing.ts';
import { createCredits, sendPortions, type Credits } from './query_portions.ts';
import { postgresQueries } from './query_postgres.ts';
import { sqliteQueries } from './query_sqlite.ts';
import { jsonOfRow } from './row_text.ts';
import { statsJson, userStatsJson } from './statistics_json.ts';

/** A question that has not had its last word. */
interface OpenQuestion {
  readonly credits: Credits;
  readonly abandoned: AbortController;
}

serve(parentPort as MessagePort, openDatabase(workerData as QuerySettings));

function openDatabase({ backend, statementTimeoutMs }: QuerySettings): QueryDatabase {
  return backend.type === 'sqlite' ? sqliteQueries(backend.file) : postgresQueries(backend.url, statementTimeoutMs);
}

function serve(port: MessagePort, db: QueryDatabase): void {
  const open = new Map<number, OpenQuestion>();
  const report = (message: QueryReport): void => port.postMessage(message);

  /** Whatever happens, there is one last word. */
  const answer = async (id: number, question: LogQuestion | LogListing): Promise<void> => {
    const credits = createCredits();
    const abandoned = new AbortController();
    const { signal } = abandoned;
    open.set(id, { credits, abandoned });
    const asker: Asker = { begin: () => report({ type: 'working', id }), end: () => report({ type: 'waiting', id }), signal };
    try {
      if (!isListing(question)) {
        report({ type: 'answer', id, json: await answerOf(db, question, asker) });
        return;
      }
      const texts = await listingOf(db, question, asker);
      if (texts !== null) await sendPortions(texts, credits, signal, (text) => report({ type: 'portion', id, text }));
      report(texts === null ? { type: 'answer', id, json: null } : { type: 'end', id });
    } catch (error) {
      report(signal.aborted ? { type: 'end', id } : { type: 'failed', id, ...reasonOf(error) });
    } finally {
      open.delete(id);
    }
  };

  port.on('message', (command: QueryCommand) => {
    switch (command.type) {
      case 'ask':
        void answer(command.id, command.question);
        return;
      case 'credit':
        open.get(command.id)?.credits.add(command.portions);
        return;
      case 'abandon':
        open.get(command.id)?.abandoned.abort();
        return;
      default:
        command satisfies never;
    }
  });
}

function isListing(question: LogQuestion | LogListing): question is LogListing {
  return question.type === 'page' || question.type === 'session' || question.type === 'export';
}

async function answerOf(db: QueryDatabase, question: LogQuestion, asker: Asker): Promise<string | null> {
  const { filter } = question;
  switch (question.type) {
    case 'one': {
      const row = await db.one(filter, question.interactionId, asker);
      return row === null ? null : jsonOfRow(row);
    }
    case 'stats':
      return statsJson(filter.agentName, await db.stats(filter, asker));
    case 'user_stats':
      return userStatsJson(filter.agentName, await db.userStats(filter, asker));
    default:
      return question satisfies never;
  }
}

/** Of an error that nobody has foreseen no words: they might be of a row. */
function reasonOf(error: unknown): Pick<QueryReport & { type: 'failed' }, 'reason' | 'message'> {
  if (error instanceof QueryError) return { reason: error.reason, message: error.message };
  return { reason: 'failed', message: error instanceof Error ? error.name : typeof error };
}
