// A listing of the log, piece by piece: keys first, then as many rows at a time as their texts allow, so that neither many rows nor long ones fill the memory.
import type { LogListing } from '../../shared/log_protocol.ts';
import type { Asker, QueryDatabase, RowKey } from './query_database.ts';
import { csvOfRow, CSV_HEADER, jsonOfRow, type RowValues } from './row_text.ts';

/** Keys that are read at once. */
const BLOCK = 1000;
/** Of texts of rows that are read at once, unless one row has more. */
const GROUP_BYTES = 256 * 1024;
const MAX_GROUP = 200;

/** @returns its texts in order; null for a session of which nothing is known */
export async function listingOf(db: QueryDatabase, listing: LogListing, asker: Asker): Promise<AsyncIterable<string> | null> {
  const { filter } = listing;
  switch (listing.type) {
    case 'page': {
      const { limit, offset } = listing;
      const { total, keys } = await db.page({ filter, oldestFirst: false, limit, offset }, asker);
      return asJson(`{"total":${total},"limit":${limit},"offset":${offset},"logs":[`, rowsOf(db, keys, asker));
    }
    case 'session': {
      const { total, keys } = await db.page({ filter, oldestFirst: true, limit: BLOCK, offset: 0 }, asker);
      if (total === 0) return null;
      // What comes after the count is left to the next reader, so that the two agree.
      const blocks = blocksAfter(db, { filter, oldestFirst: true }, keys, total, asker);
      return asJson(`{"session_id":${JSON.stringify(listing.sessionId)},"total":${total},"logs":[`, rowsOfBlocks(db, blocks, asker));
    }
    case 'export': {
      const keys = await db.keys({ filter, oldestFirst: false, limit: BLOCK, after: null }, asker);
      const rows = rowsOfBlocks(db, blocksAfter(db, { filter, oldestFirst: false }, keys, Number.POSITIVE_INFINITY, asker), asker);
      return listing.format === 'csv' ? asLines(CSV_HEADER, rows, csvOfRow) : asLines('', rows, (row) => `${jsonOfRow(row)}\n`);
    }
    default:
      return listing satisfies never;
  }
}

async function* asJson(head: string, rows: AsyncIterable<RowValues>): AsyncIterable<string> {
  yield head;
  let separator = '';
  for await (const row of rows) {
    yield separator + jsonOfRow(row);
    separator = ',';
  }
  yield ']}';
}

async function* asLines(head: string, rows: AsyncIterable<RowValues>, lineOf: (row: RowValues) => string): AsyncIterable<string> {
  if (head !== '') yield head;
  for await (const row of rows) yield lineOf(row);
}

/** The first block, and those that follow, until there are `most` keys. */
async function* blocksAfter(
  db: QueryDatabase,
  walk: Pick<Parameters<QueryDatabase['keys']>[0], 'filter' | 'oldestFirst'>,
  first: readonly RowKey[],
  most: number,
  asker: Asker,
): AsyncIterable<readonly RowKey[]> {
  let block = first;
  let left = most;
  while (block.length > 0) {
    yield block;
    left -= block.length;
    if (block.length < BLOCK || left <= 0) return;
    block = await db.keys({ ...walk, limit: Math.min(BLOCK, left), after: block.at(-1) ?? null }, asker);
  }
}

async function* rowsOfBlocks(db: QueryDatabase, blocks: AsyncIterable<readonly RowKey[]>, asker: Asker): AsyncIterable<RowValues> {
  for await (const block of blocks) yield* rowsOf(db, block, asker);
}

async function* rowsOf(db: QueryDatabase, keys: readonly RowKey[], asker: Asker): AsyncIterable<RowValues> {
  for (let start = 0; start < keys.length; ) {
    let end = start;
    for (let bytes = 0; end < keys.length && end - start < MAX_GROUP; end += 1) {
      bytes += keys[end]?.bytes ?? 0;
      if (bytes > GROUP_BYTES && end > start) break;
    }
    yield* await db.rows(keys.slice(start, end), asker);
    start = end;
  }
}
