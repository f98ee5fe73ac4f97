// The agent of @openai/agents run as its package documents it: streamed, every event read, by the package's default runner and its one client.
import { run, setTracingDisabled } from '@openai/agents';
import { QUESTION } from '../answer.ts';
import type { Ask } from '../load/loop.ts';
import agent from '../sdk_agent.ts';
import { deviationOf } from './whole.ts';

export function createSdkAsk(): Ask {
  // Else each run is sent to OpenAI.
  setTracingDisabled(true);
  return async () => {
    const pieces: string[] = [];
    const result = await run(agent, QUESTION, { stream: true });
    for await (const event of result) {
      if (event.type === 'raw_model_stream_event' && event.data.type === 'output_text_delta') pieces.push(event.data.delta);
    }
    await result.completed;
    return deviationOf(pieces, result.finalOutput, result.state.usage.totalTokens);
  };
}
