// An agent of the OpenAI Agents SDK, served as it is: tools, an agent to hand over to, and a guardrail. Needs `npm install @openai/agents zod`.
import { Agent, tool, type InputGuardrail } from '@openai/agents';
import { z } from 'zod';

const checkTable = tool({
  name: 'check_table',
  description: 'Whether a table is free in the restaurant of the hotel.',
  parameters: z.object({ people: z.number().int().min(1), time: z.string().describe('HH:MM') }),
  execute: async ({ people, time }) => (people <= 6 && time < '21:00' ? `A table for ${people} at ${time} is free.` : 'There is no table.'),
});

const noCards: InputGuardrail = {
  name: 'no card numbers',
  execute: async ({ input }) => {
    const found = /\b(?:\d[ -]?){13,19}\b/.test(typeof input === 'string' ? input : JSON.stringify(input));
    return { tripwireTriggered: found, outputInfo: { found } };
  },
};

const guide = new Agent({
  name: 'City guide',
  model: 'gpt-5-mini',
  handoffDescription: 'Knows what to see in the city.',
  instructions: 'You tell guests of a hotel in Lisbon what is worth seeing, at most three things at once.',
});

export default Agent.create({
  name: 'Concierge',
  model: 'gpt-5-mini',
  instructions: 'You are the concierge of a hotel. Tables you book with your tool; for sights you hand over to the city guide.',
  tools: [checkTable],
  handoffs: [guide],
  inputGuardrails: [noCards],
});

/** A request may bring a key of its own. */
export const request_env = ['OPENAI_API_KEY'];
