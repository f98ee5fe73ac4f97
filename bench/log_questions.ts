// What the log is asked in the bench: every filter of /logs, the statistics, and how many rows have to be found.
import type { LogRecord } from '../shared/log_record.ts';
import { DAYS, sessionId, userId } from './log_records.ts';

const DAY_MS = 86_400_000;

export interface Question {
  readonly path: string;
  readonly isStatistics: boolean;
  /** Asked with a token of scope `logs`, of the user `OWN_USER`, who is told of the own rows only. */
  readonly isOwn: boolean;
  /** What it asks for. */
  readonly matches: (record: LogRecord) => boolean;
}

/** Who comes most often. */
export const OWN_USER = userId(0);

/** @param untilMs where the records end, in ms since 1970 @param rows of them in all */
export function questionsOf(untilMs: number, rows: number): readonly Question[] {
  const day = (ago: number): string => new Date(untilMs - ago * DAY_MS).toISOString();
  const [session, seldom, often] = [sessionId(17), userId(60), OWN_USER];
  const [lastWeek, monthAgo, midway] = [day(7), day(30), day(DAYS / 2)];
  const all = (): boolean => true;
  const isChat = ({ endpoint }: LogRecord): boolean => endpoint === '/chat';
  const isStream = ({ endpoint }: LogRecord): boolean => endpoint === '/chat/stream';
  const isWhole = ({ status }: LogRecord): boolean => status === 'success';
  const isError = ({ status }: LogRecord): boolean => status === 'error';
  const isLastWeek = ({ timestamp }: LogRecord): boolean => timestamp >= lastWeek;
  const isLastMonth = ({ timestamp }: LogRecord): boolean => timestamp >= monthAgo;
  const isOften = ({ user_id: user }: LogRecord): boolean => user === often;
  const isSession = ({ session_id: id }: LogRecord): boolean => id === session;
  const listings: readonly (readonly [string, Question['matches']])[] = [
    ['', all],
    [`offset=${Math.trunc(rows / 2)}`, all],
    [`offset=${rows - 200}`, all],
    ['limit=1000', all],
    [`session_id=${session}`, isSession],
    [`user_id=${often}`, isOften],
    [`user_id=${seldom}`, (record) => record.user_id === seldom],
    ['endpoint=/chat', isChat],
    ['endpoint=/chat/stream', isStream],
    ['status=success', isWhole],
    ['status=error', isError],
    ['status=timeout', (record) => record.status === 'timeout'],
    [`start_date=${lastWeek}`, isLastWeek],
    [`end_date=${midway}`, (record) => record.timestamp < midway],
    [`start_date=${monthAgo}&end_date=${lastWeek}`, (record) => isLastMonth(record) && !isLastWeek(record)],
    ['endpoint=/chat&status=error', (record) => isChat(record) && isError(record)],
    ['endpoint=/chat/stream&status=success', (record) => isStream(record) && isWhole(record)],
    [`endpoint=/chat/stream&status=success&offset=${Math.trunc(rows / 2)}`, (record) => isStream(record) && isWhole(record)],
    [`status=error&start_date=${lastWeek}`, (record) => isError(record) && isLastWeek(record)],
    [`user_id=${often}&status=error`, (record) => isOften(record) && isError(record)],
    [`user_id=${often}&endpoint=/chat&start_date=${monthAgo}`, (record) => isOften(record) && isChat(record) && isLastMonth(record)],
    [`session_id=${session}&status=success`, (record) => isSession(record) && isWhole(record)],
    ['session_id=none', () => false],
    ['endpoint=/none', () => false],
  ];
  const statistics: readonly (readonly [string, Question['matches']])[] = [
    ['', all],
    [`user_id=${often}`, isOften],
    [`start_date=${lastWeek}`, isLastWeek],
    [`start_date=${monthAgo}&end_date=${lastWeek}`, (record) => isLastMonth(record) && !isLastWeek(record)],
  ];
  const own: readonly (readonly [string, Question['matches']])[] = [
    ['', isOften],
    ['offset=10000', isOften],
    ['status=success', (record) => isOften(record) && isWhole(record)],
    ['status=error', (record) => isOften(record) && isError(record)],
    ['endpoint=/chat', (record) => isOften(record) && isChat(record)],
    [`start_date=${monthAgo}`, (record) => isOften(record) && isLastMonth(record)],
    ['session_id=none', () => false],
  ];
  const asked = (route: string, isOwn = false) => ([query, matches]: readonly [string, Question['matches']]): Question => {
    return { path: query === '' ? route : `${route}?${query}`, isStatistics: route !== '/logs', isOwn, matches };
  };
  return [
    ...listings.map(asked('/logs')),
    ...own.map(asked('/logs', true)),
    ...statistics.map(asked('/logs/stats')),
    asked('/logs/stats', true)(['', isOften]),
    ...statistics.map(asked('/logs/stats/users')),
  ];
}
