// The opponent's call of the model: undici with kept-alive connections, and eventsource-parser over what it streams.
import { createParser } from 'eventsource-parser';
import { Agent, request } from 'undici';
import { API_PATHS, type Api } from '../apis.ts';
import { PROTOCOLS, type TokenUsage } from './protocols.ts';

export interface UpstreamOptions {
  readonly baseUrl: string;
  readonly api: Api;
  readonly apiKey: string;
  readonly modelId: string;
  readonly systemPrompt: string;
}

export interface Completion {
  readonly usage: TokenUsage | null;
  readonly finishReason: string;
}

export interface Upstream {
  /**
   * Streams the answer to one message.
   * @param onDelta is given each piece of text
   * @param drained is awaited after each read, so that a slow reader slows the model down
   * @throws if the model refuses, fails or ends without finishing
   */
  readonly complete: (message: string, signal: AbortSignal, onDelta: (text: string) => void, drained?: () => Promise<void>) => Promise<Completion>;
}

export function createUpstream(options: UpstreamOptions): Upstream {
  const url = options.baseUrl + API_PATHS[options.api];
  const protocol = PROTOCOLS[options.api];
  const dispatcher = new Agent({ keepAliveTimeout: 30_000 });
  const headers = { 'Content-Type': 'application/json', Accept: 'text/event-stream', Authorization: `Bearer ${options.apiKey}` };

  const complete: Upstream['complete'] = async (message, signal, onDelta, drained) => {
    const body = JSON.stringify(protocol.body(options.modelId, options.systemPrompt, message));
    const response = await request(url, { method: 'POST', dispatcher, headers, body, signal });
    if (response.statusCode !== 200) throw new Error(`model: ${response.statusCode} ${await response.body.text()}`);

    let usage: TokenUsage | null = null;
    let finishReason: string | null = null;
    const parser = createParser({
      onEvent: ({ data }) => {
        const step = protocol.read(data);
        if (step.text !== undefined && step.text !== '') onDelta(step.text);
        usage = step.usage ?? usage;
        finishReason = step.finishReason ?? finishReason;
      },
    });
    const decoder = new TextDecoder();
    for await (const bytes of response.body) {
      parser.feed(decoder.decode(bytes as Uint8Array, { stream: true }));
      await drained?.();
    }
    if (finishReason === null) throw new Error('model: the stream ended early');
    return { usage, finishReason };
  };
  return { complete };
}
