// The command line: one function a command. Whatever fails ends as one line on stderr and an exit code.
import { cac, type Command } from 'cac';
import { SERVE_OPTIONS, type ServeFlags, type ServeOption } from '../shared/config.ts';
import { readVersion } from '../supervisor/version.ts';
import { markValues, unmark } from './arguments.ts';
import { failureOf, UsageError } from './failure.ts';
import { endSoon } from './hard_end.ts';
import { MANAGE_COMMANDS, MANAGE_OPTIONS, type ManageCommand, type ManageFlags } from './manage/option_table.ts';
import { TOKEN_OPTIONS, type TokenFlags } from './tokens/option_table.ts';

const NAME = 'oai-agent-server';

const program = cac(NAME);
program.help();
program.version(await readVersion());

withServeOptions(program.command('serve <agent>', `serve one agent over HTTP; \`${NAME} <agent>\` is the same`).alias('!')).action(
  async (agent: string, options: Record<string, unknown>) => {
    const { serve } = await import('./serve.ts');
    await serve(unmark(agent), flagsOf(options));
  },
);

withServeOptions(program.command('check <agent>', 'load and validate an agent, print what was resolved; exit 0 or 78')).action(
  async (agent: string, options: Record<string, unknown>) => {
    const { check } = await import('./check.ts');
    await check(unmark(agent), flagsOf(options));
  },
);

withManageOptions(program.command('chat [url]', 'talk to a running server'), Object.values(MANAGE_OPTIONS)).action(
  async (url: string | undefined, options: Record<string, unknown>) => {
    const { chat } = await import('./chat/chat.ts');
    process.exitCode = await chat(url === undefined ? undefined : unmark(url), manageFlagsOf(options));
  },
);

withTokenOptions(program.command('tokens <action> [id]', 'create, list or revoke tokens, through the running server or without one')).action(
  async (action: string, id: string | undefined, options: Record<string, unknown>) => {
    const { tokens } = await import('./tokens.ts');
    await tokens(unmark(action), id === undefined ? undefined : unmark(id), tokenFlagsOf(options));
  },
);

for (const name of Object.keys(MANAGE_COMMANDS) as ManageCommand[]) {
  const { doc, options } = MANAGE_COMMANDS[name];
  withManageOptions(program.command(`${name} [url]`, doc), options).action(async (url: string | undefined, given: Record<string, unknown>) => {
    const { manage } = await import('./manage.ts');
    await manage(name, url === undefined ? undefined : unmark(url), manageFlagsOf(given));
  });
}

// Whoever reads our lines may leave before we end, as in `| head`: no reason to fail.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
try {
  await run(process.argv.slice(2));
} catch (error) {
  fail(error);
}

async function run(words: readonly string[]): Promise<void> {
  program.parse(['', '', ...markValues(words)], { run: false });
  if (program.options['help'] === true) return;
  if (program.options['version'] === true) {
    if (program.matchedCommandName !== undefined) program.outputVersion();
    return;
  }
  await runMatched();
}

/** cac checks the words against the command first: their number, and the options that it takes. */
async function runMatched(): Promise<void> {
  try {
    await program.runMatchedCommand();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'CACError') throw error;
    const usage = program.matchedCommand?.rawName ?? '<agent>';
    throw new UsageError(`${error.message}; expected ${NAME} ${usage} [options]`);
  }
}

function withServeOptions(command: Command): Command {
  for (const { flag, fallback, doc } of Object.values(SERVE_OPTIONS)) command.option(flag, `${doc} (default: ${fallback})`);
  return command;
}

function withTokenOptions(command: Command): Command {
  for (const { flag, doc } of Object.values(TOKEN_OPTIONS)) command.option(flag, doc);
  return command;
}

function withManageOptions(command: Command, options: readonly { readonly flag: string; readonly doc: string }[]): Command {
  for (const { flag, doc } of options) command.option(flag, doc);
  return command;
}

function flagsOf(options: Record<string, unknown>): ServeFlags {
  return { ...valuesOf(Object.keys(SERVE_OPTIONS) as ServeOption[], 'allowedModes', options), watch: options['watch'] === true };
}

function tokenFlagsOf(options: Record<string, unknown>): TokenFlags {
  return { ...valuesOf(Object.keys(TOKEN_OPTIONS), 'scopes', options), json: options['json'] === true };
}

function manageFlagsOf(options: Record<string, unknown>): ManageFlags {
  return { ...valuesOf(Object.keys(MANAGE_OPTIONS), '', options), json: options['json'] === true };
}

/** Those that were given, as they were typed. @param list the one that is a list of words; '' where none is */
function valuesOf(names: readonly string[], list: string, options: Record<string, unknown>) {
  const given = names.flatMap((name) => {
    const value = options[name];
    return typeof value === 'string' ? [[name, name === list ? unmark(value).split(',') : unmark(value)] as const] : [];
  });
  return Object.fromEntries(given);
}

function fail(error: unknown): never {
  const { line, exitCode } = failureOf(error, process.env['LOG_LEVEL']);
  process.stderr.write(`${NAME}: ${line}\n`);
  // A wrong command line is seen before there is any thread.
  if (exitCode === 2) process.exit(exitCode);
  endSoon(exitCode);
}
