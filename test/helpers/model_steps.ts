// What the scripted model does with one request, as a test or a directive in the last user message says.

export interface ModelStep {
  /** The answer, cut into words; or so many words of filling. Default: eight words. */
  readonly text?: string;
  readonly words?: number;
  /** Several messages in one response; chat completions joins them. */
  readonly messages?: readonly string[];
  /** Pause before each piece. */
  readonly delayMs?: number;
  readonly reasoning?: string;
  readonly refusal?: string;
  readonly calls?: readonly { readonly name: string; readonly arguments: unknown; readonly id?: string }[];
  /** Default: 7 in, a token a word out. */
  readonly usage?: 'none' | { readonly input: number; readonly output: number };
  readonly finish?: 'length' | 'content_filter';
  /** The answer is what the request had: its Authorization header, or its body. */
  readonly echo?: 'authorization' | 'body';
  /** An error status, for the first `times` requests with the same last message, or for all. */
  readonly fail?: {
    readonly status: number;
    readonly times?: number;
    readonly retryAfter?: string;
    readonly message?: string;
    /** The connection is reset instead. */
    readonly reset?: true;
  };
  /** Never goes on: before the headers, before the body, or after so many pieces. */
  readonly stall?: 'headers' | 'body' | number;
  /** The connection is destroyed after so many pieces. */
  readonly cut?: number;
  /** The body ends properly, but after so many pieces. */
  readonly stop?: number;
  readonly garbage?: 'bad_json' | 'not_sse' | 'html' | 'shape' | 'error_event' | 'huge_line' | 'json_error';
  /** Size of the TCP chunks, which then cut lines and characters anywhere. */
  readonly splitBytes?: number;
  /** Leaves out `data: [DONE]`. */
  readonly noDone?: true;
}

export type Api = 'responses' | 'chat_completions';

/** A message of a request, in the fields that both APIs share, as far as the script looks at them. */
interface Entry {
  readonly role?: string;
  readonly type?: string;
  readonly content?: unknown;
}

/** The text of the last user message. */
export function lastUserText(body: Readonly<Record<string, unknown>>): string {
  const content = entriesOf(body).findLast((entry) => entry.role === 'user')?.content;
  if (typeof content === 'string') return content;
  return Array.isArray(content) ? content.map((part: { readonly text?: string }) => part.text ?? '').join('') : '';
}

type Directive = ModelStep | readonly ModelStep[] | { readonly byInstructions: Readonly<Record<string, ModelStep | readonly ModelStep[]>> };

/**
 * The step that the last user message asks for: `@model {…}` for every turn, or `@model [{…}, …]`, one for each turn since that message, the last one
 * for all that follow; or `@model {"byInstructions":{"words":…, "":…}}`, for several agents that are sent the same message: the first whose words are in
 * the instructions. Nothing is counted, so that any number of requests may ask for the same at once. Null: there is no directive.
 */
export function directedStep(body: Readonly<Record<string, unknown>>): ModelStep | null {
  const json = /@model (.*)/.exec(lastUserText(body))?.[1];
  if (json === undefined) return null;
  let directive = JSON.parse(json) as Directive;
  if ('byInstructions' in directive) {
    const instructions = instructionsOf(body);
    directive = Object.entries(directive.byInstructions).find(([words]) => instructions.includes(words))?.[1] ?? {};
  }
  if (!Array.isArray(directive)) return directive as ModelStep;
  return (directive[turnsSinceUser(body)] ?? directive.at(-1) ?? {}) as ModelStep;
}

/** What the model is told to be, by either API. */
function instructionsOf(body: Readonly<Record<string, unknown>>): string {
  const system = entriesOf(body).find((entry) => entry.role === 'system')?.content;
  return typeof body['instructions'] === 'string' ? body['instructions'] : typeof system === 'string' ? system : '';
}

/** How often results of tools have come back since the last user message. */
function turnsSinceUser(body: Readonly<Record<string, unknown>>): number {
  const entries = entriesOf(body);
  const since = entries.slice(entries.findLastIndex((entry) => entry.role === 'user') + 1);
  const isResult = (entry: Entry | undefined) => entry?.role === 'tool' || entry?.type === 'function_call_output';
  return since.filter((entry, index) => isResult(entry) && !isResult(since[index - 1])).length;
}

function entriesOf(body: Readonly<Record<string, unknown>>): readonly Entry[] {
  const entries = body['messages'] ?? body['input'];
  if (typeof entries === 'string') return [{ role: 'user', content: entries }];
  return Array.isArray(entries) ? (entries as Entry[]) : [];
}

/** A step's content with its defaults, as both APIs render it. */
export interface Content {
  readonly reasoning: readonly string[];
  /** Messages, each in its pieces. */
  readonly messages: readonly (readonly string[])[];
  readonly refusal: string | null;
  readonly calls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
  readonly usage: { readonly input: number; readonly output: number } | null;
  readonly finish: 'stop' | 'length' | 'content_filter';
}

export function contentOf(step: ModelStep, echoed: string): Content {
  const filling = Array.from({ length: step.words ?? 8 }, (_, index) => `word${index + 1}`).join(' ');
  const said = step.echo !== undefined ? [echoed] : (step.messages ?? [step.text ?? (step.calls || step.refusal !== undefined ? '' : filling)]);
  const messages = said.map(piecesOf).filter((pieces) => pieces.length > 0);
  return {
    reasoning: piecesOf(step.reasoning ?? ''),
    messages,
    refusal: step.refusal ?? null,
    calls: (step.calls ?? []).map((call, index) => ({
      id: call.id ?? `call_${index + 1}_${call.name}`,
      name: call.name,
      arguments: typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments),
    })),
    usage: step.usage === 'none' ? null : (step.usage ?? { input: 7, output: messages.flat().length }),
    finish: step.finish ?? 'stop',
  };
}

/** A text in the pieces that the model sends: words with the space before them. */
export function piecesOf(text: string): string[] {
  return text.match(/\s*\S+\s*$|\s*\S+/g) ?? [];
}
