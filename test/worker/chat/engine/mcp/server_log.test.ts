// What is logged of an MCP server: bounded in length and rate, without secrets.
import t from 'tap';
import { createServerLog } from '../../../../../worker/chat/engine/mcp/server_log.ts';
import { captureLog } from '../../../../helpers/mcp.ts';

t.test('lines carry the name of the server, and no secret, no control and no more than 2 KiB', async (t) => {
  const lines = captureLog(t);
  const log = createServerLog('files', ['token-1234']);
  log.printed('using token-1234 of https://me:pw@host/\u001b[31m');
  log.printed('   ');
  log.printed('x'.repeat(5000));
  log.warn('went away');
  t.strictSame(lines.slice(0, 1), ['info MCP server files: using *** of https://***@host/ [31m']);
  t.equal(lines[1]?.length, 'info MCP server files: '.length + 2048);
  t.strictSame(lines.slice(2), ['warn MCP server files: went away']);
});

t.test('a server that prints without end is heard ten times a second, and how much was dropped is told', async (t) => {
  const lines = captureLog(t);
  let now = 0;
  const log = createServerLog('files', [], () => now);
  for (let i = 0; i < 1000; i += 1) log.printed(`line ${i}`);
  t.equal(lines.length, 100);
  now = 1000;
  for (let i = 0; i < 1000; i += 1) log.printed(`later ${i}`);
  t.equal(lines.length, 100 + 1 + 10);
  t.equal(lines[100], 'warn MCP server files: 900 lines that it printed were dropped');
  t.equal(lines[101], 'info MCP server files: later 0');
});
