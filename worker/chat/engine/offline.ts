// The model that needs no network and no key: it answers the same question in the same way, and says what it is.
import type { ModelItem } from '../../../shared/chat.ts';
import { outputText } from './api.ts';
import type { Model, ModelCall, ModelEvent, ToolSpec } from './model.ts';
import type { OutputFormat } from './output.ts';
import { sampleOf } from './sample.ts';

/** How the answer begins where a message begins like this. */
const GREETING = /^\W*(hi|hello|hey|good (?:morning|afternoon|evening)|hallo|hola|bonjour|ciao)\b/i;

/** `/tool NAME {json}` on a line of its own; no JSON means no arguments. */
const TOOL_LINE = /^[ \t]*\/tool[ \t]+(\S+)[ \t]*(.*)$/gm;

const QUOTE_LIMIT = 200;
const CHUNK_WORDS = 64;

/**
 * @param remedy a sentence that says how to get a real model
 * @param output the form of its answer; null for a sentence about itself
 */
export function createOfflineModel(remedy: string, output: OutputFormat | null): Model {
  const name = { model_id: 'offline', provider: 'offline' };
  return {
    nameFor: () => name,
    async *call(call, signal) {
      for (const events of chunksOf(reply(call, remedy, output), call)) {
        signal.throwIfAborted();
        yield events;
      }
    },
  };
}

interface Reply {
  readonly text: string;
  readonly calls: readonly Extract<ModelEvent, { type: 'tool_call' }>[];
}

function reply(call: ModelCall, remedy: string, output: OutputFormat | null): Reply {
  const { tools } = call;
  const asked = call.items.findLastIndex((item) => item.type === 'message' && item.role === 'user');
  const message = userText(call.items[asked]);
  const since = call.items.slice(asked + 1);
  const results = reports(since);
  if (results.length > 0) return { text: formed(output) ?? results.join('\n'), calls: [] };
  const calls = [...message.matchAll(TOOL_LINE)].map(([, name = '', json = ''], index) => {
    return { type: 'tool_call' as const, id: `offline_${call.turn}_${index + 1}`, name, argumentsJson: json.trim() || '{}' };
  });
  return calls.length > 0 ? { text: '', calls } : { text: formed(output) ?? introduction(message, call.turn, tools, remedy, filesIn(call.items[asked])), calls: [] };
}

function formed(output: OutputFormat | null): string | null {
  return output === null ? null : JSON.stringify(sampleOf(output.schema));
}

/** The message itself: files are quoted after it. */
function userText(item: ModelItem | undefined): string {
  if (item?.type !== 'message' || item.role !== 'user') return '';
  if (typeof item.content === 'string') return item.content;
  const first = item.content[0];
  return first?.type === 'input_text' ? first.text : '';
}

/** One line for each tool that has answered in this turn. */
function reports(items: readonly ModelItem[]): string[] {
  const names = new Map(items.flatMap((item) => (item.type === 'function_call' ? [[item.callId, item.name] as const] : [])));
  const results = items.filter((item) => item.type === 'function_call_result');
  return results.map((result) => `The tool ${names.get(result.callId) ?? result.name} returned: ${outputText(result.output)}`);
}

/** The names of the files that came with the message. */
function filesIn(item: ModelItem | undefined): string[] {
  if (item?.type !== 'message' || item.role !== 'user' || typeof item.content === 'string') return [];
  return item.content.slice(1).flatMap((part) => (part.type === 'input_text' ? (/^\[file: (.*?), [^,]+, \d+ bytes/.exec(part.text)?.[1] ?? []) : []));
}

function introduction(message: string, turn: number, tools: readonly ToolSpec[], remedy: string, files: readonly string[]): string {
  const words = message.trim().replaceAll(/\s+/g, ' ');
  const quote = words.length <= QUOTE_LIMIT ? words : `${words.slice(0, QUOTE_LIMIT).toWellFormed()}…`;
  const first = tools[0];
  return [
    ...(GREETING.test(message) ? ['Hello!'] : []),
    'I am the offline model: I answer without a network, always in the same way, so that you can try the server around me.',
    remedy,
    `This is turn ${turn} of our session, and you said: "${quote}".`,
    ...(files.length === 0 ? [] : [`With it came ${files.join(', ')}, which only a real model reads.`]),
    first === undefined
      ? 'I have no tools.'
      : `I can call ${tools.map((tool) => tool.name).join(', ')}: send a line such as /tool ${first.name} ${exampleArguments(first)}.`,
  ].join(' ');
}

/** Arguments that the tool's schema gives as an example, else an empty object. */
function exampleArguments(tool: ToolSpec): string {
  const examples = tool.parameters['examples'];
  return JSON.stringify(Array.isArray(examples) && examples.length > 0 ? examples[0] : {});
}

/**
 * The reply word by word, in chunks as a network would bring them. Its usage is not null, because all is known of it: this model's tokens are words.
 */
function* chunksOf(said: Reply, call: ModelCall): Generator<readonly ModelEvent[]> {
  const words = said.text.match(/\S+\s*/g) ?? [];
  for (let from = 0; from < words.length; from += CHUNK_WORDS) {
    yield words.slice(from, from + CHUNK_WORDS).map((text) => ({ type: 'text', text }));
  }
  const input = countWords(call.instructions) + call.items.reduce((sum, item) => sum + countWords(itemText(item)), 0);
  const output = words.length + said.calls.reduce((sum, { argumentsJson }) => sum + countWords(argumentsJson), 0);
  const usage = { input_tokens: input, output_tokens: output, total_tokens: input + output };
  yield [...said.calls, { type: 'end', finishReason: said.calls.length > 0 ? 'tool_calls' : 'stop', usage }];
}

function countWords(text: string): number {
  return text.match(/\S+/g)?.length ?? 0;
}

function itemText(item: ModelItem): string {
  switch (item.type) {
    case 'message':
      return typeof item.content === 'string' ? item.content : item.content.map((part) => ('text' in part ? part.text : '')).join(' ');
    case 'function_call':
      return item.arguments;
    case 'function_call_result':
      return outputText(item.output);
    default:
      item satisfies never;
      return '';
  }
}
