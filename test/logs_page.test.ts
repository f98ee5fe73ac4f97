// The page on the log says what the code does: its columns are those of the table, its statements run, its links lead somewhere.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { KINDS } from '../worker/logs/columns.ts';
import { knownRecord, postgresLog } from './helpers/log_rows.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { anchorsOf, codeBlocksOf, linksOf, rowsOf, sectionOf } from './helpers/markdown.ts';
import { PROJECT } from './helpers/process.ts';

const PAGE = 'docs/logs.md';
const TEXT = readFileSync(join(PROJECT, PAGE), 'utf8');

t.test('the columns of the page are those of the table', async (t) => {
  t.strictSame(rowsOf(TEXT, 'column').map(([name]) => name), [...Object.keys(KINDS), 'created_at']);
});

t.test('every query worth having finds something, and a person\'s rows can be deleted', async (t) => {
  const log = await postgresLog(t, Array.from({ length: 50 }, (_, number) => knownRecord(number, { agent_name: 'my_agent', session_id: 'demo', timestamp: new Date().toISOString() })));
  if (log === null) return;
  const statements = codeBlocksOf(sectionOf(TEXT, 'Queries worth having')).filter(({ language }) => language === 'sql').flatMap(({ text }) => text.split(/;\n/)).filter((text) => text.trim() !== '');
  t.equal(statements.length, 4);
  for (const statement of statements) t.ok((await log.server.query(statement)).length > 0, statement);
  const deletion = /`(DELETE FROM [^`]+)`/.exec(TEXT)?.[1] ?? '';
  await log.server.query(deletion);
});

t.test('every link leads to a file or a heading', async (t) => {
  const links = linksOf(TEXT).filter((target) => !/^https?:/.test(target));
  t.ok(links.length > 0);
  for (const link of links) {
    const [path = '', anchor] = link.split('#');
    const file = path === '' ? join(PROJECT, PAGE) : join(PROJECT, dirname(PAGE), path);
    t.ok(existsSync(file), link);
    if (anchor !== undefined) t.ok(anchorsOf(readFileSync(file, 'utf8')).includes(anchor), link);
  }
});

nothingIsLeft(t);
