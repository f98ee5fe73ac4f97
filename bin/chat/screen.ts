// What a person, or a pipe, sees of an answer.
import type { Writable } from 'node:stream';
import type { StreamEvent } from './conversation.ts';

export interface Screen {
  show(event: StreamEvent): void;
  /** A remark of the program itself; a pipe does not get it. */
  note(text: string): void;
  /** Why an answer did not come, in one line. */
  fail(reason: string): void;
  /** The next output begins on a new line. */
  endAnswer(): void;
}

/** Longest tool call or result that is shown, in UTF-16 units. */
const MAX_SHOWN = 200;

/** @param terminal whether `out` is one: then tools are shown, dimly, and what could steer the terminal is left out of the text. */
export function createScreen(out: Writable, errors: Writable, terminal: boolean): Screen {
  let message = 0;
  let lineIsOpen = false;

  function write(text: string): void {
    if (text === '') return;
    out.write(text);
    lineIsOpen = !text.endsWith('\n');
  }

  function startLine(): void {
    if (lineIsOpen) write('\n');
  }

  function note(text: string): void {
    if (!terminal) return;
    startLine();
    write(`\x1b[2m${oneLine(text)}\x1b[0m\n`);
  }

  function fail(reason: string): void {
    startLine();
    errors.write(`error: ${oneLine(reason)}\n`);
  }

  function show(event: StreamEvent): void {
    switch (event.type) {
      case 'text':
        if (event.message !== message) startLine();
        message = event.message;
        return write(terminal ? printable(event.content) : event.content);
      case 'tool_call':
        return note(`${event.name} ${JSON.stringify(event.arguments)}`);
      case 'tool_result':
        return note(`${event.name} ${event.is_error ? 'failed' : 'gave'} ${event.content}`);
      case 'handoff':
        return note(`${event.from} hands over to ${event.to}`);
      case 'error':
        return fail(`${event.error.message} (${event.error.code})`);
      case 'start':
      case 'reasoning':
      case 'output':
        return;
      default:
        // A newer server may know more events.
        event satisfies never;
    }
  }

  return { show, note, fail, endAnswer: startLine };
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s*\p{Cc}+\s*/gu, ' ').trim();
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line;
}

/** Text without control characters: an agent's words could otherwise move the cursor, set the title, or fill the clipboard. */
function printable(text: string): string {
  return text.replaceAll(/(?![\n\t])\p{Cc}/gu, '');
}
