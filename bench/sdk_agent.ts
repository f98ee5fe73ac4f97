// The agent of @openai/agents that the bench runs: the same file directly and served. It asks the model of OPENAI_BASE_URL.
import { Agent, setOpenAIAPI } from '@openai/agents';
import { AGENT, INSTRUCTIONS, MODEL_ID } from './agent_file.ts';
import { SDK_API_VARIABLE } from './apis.ts';

setOpenAIAPI(process.env[SDK_API_VARIABLE] === 'responses' ? 'responses' : 'chat_completions');

export default new Agent({ name: AGENT, instructions: INSTRUCTIONS, model: MODEL_ID });
