// `chat`: a conversation with a running server. Each line is a message; its answer is printed as it comes.
import { randomUUID } from 'node:crypto';
import { createInterface, type Interface } from 'node:readline';
import { isatty } from 'node:tty';
import { findServerUrl, type Place } from '../manage/find_server.ts';
import { findAttachment, type Attachment } from './attachments.ts';
import { type Conversation, openConversation } from './conversation.ts';
import { createScreen, type Screen } from './screen.ts';

const HELP = '/file PATH sends a file with the next message, /new begins another session, /exit ends, Ctrl-C cancels the answer; every other line is a message';

/**
 * Talks until the input ends.
 * @param url none: the one server that runs here
 * @returns the exit code: 1 when a message failed whose sender was no person at a terminal
 * @throws UsageError, CommandError, EnvironmentFileError
 */
export async function chat(url: string | undefined, place: Place): Promise<number> {
  const base = await findServerUrl('chat', url, place);
  const interactive = isatty(0) && isatty(1);
  const screen = createScreen(process.stdout, process.stderr, isatty(1));
  const lines = createInterface({ input: process.stdin, terminal: interactive, prompt: '> ', ...(interactive && { output: process.stdout }) });
  if (interactive) screen.note(`${base}: ${HELP}`);
  const failed = await converse(lines, screen, base, interactive);
  lines.close();
  return failed && !interactive ? 1 : 0;
}

/** True when a message failed. */
async function converse(lines: Interface, screen: Screen, base: string, interactive: boolean): Promise<boolean> {
  let failed = false;
  let session = randomUUID();
  let files: Attachment[] = [];
  let current: Conversation | null = null;
  const interrupt = () => (current === null ? lines.close() : current.cancel());
  // At a terminal readline has the key; a signal comes from elsewhere.
  lines.on('SIGINT', interrupt);
  process.on('SIGINT', interrupt);

  if (interactive) lines.prompt();
  for await (const line of lines) {
    const text = line.trim();
    if (text === '/exit') break;
    if (text === '/help') {
      screen.note(HELP);
    } else if (text === '/new') {
      session = randomUUID();
      files = [];
      screen.note('another session');
    } else if (/^\/file(\s|$)/.test(text)) {
      failed = !(await attach(text.slice('/file'.length).trim(), files, screen)) || failed;
    } else if (text !== '') {
      current = openConversation(base, session, line, files);
      files = [];
      failed = !(await show(current, screen)) || failed;
      current = null;
    }
    if (interactive) lines.prompt();
  }
  return failed;
}

/** False when there is no such file. */
async function attach(path: string, files: Attachment[], screen: Screen): Promise<boolean> {
  try {
    const file = await findAttachment(path);
    files.push(file);
    screen.note(`${file.name} (${file.size} bytes) goes with the next message`);
    return true;
  } catch (error) {
    screen.fail((error as Error).message);
    return false;
  }
}

/** False when the answer did not come, or not whole; why is then on the screen. */
async function show(conversation: Conversation, screen: Screen): Promise<boolean> {
  try {
    let last = '';
    for await (const event of conversation.events) {
      screen.show(event);
      last = event.type;
    }
    return last === 'output';
  } catch (error) {
    screen.fail(error instanceof Error ? error.message : String(error));
    return false;
  } finally {
    screen.endAnswer();
  }
}
