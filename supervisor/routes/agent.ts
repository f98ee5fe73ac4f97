// The routes of mode agent: what the agent is.
import type { App } from '../app.ts';
import { sendJson, type RequestContext } from '../http/context.ts';
import { UPLOAD_LIMITS } from '../uploads/limits.ts';
import type { Route } from './route.ts';
import { agentInfoSchema, promptsSchema } from './schemas.ts';

export function agentRoutes(app: App): readonly Route[] {
  const info = (context: RequestContext): void => {
    const { config } = app;
    const generation = app.generation();
    const { facts } = generation;
    sendJson(
      context,
      200,
      JSON.stringify({
        agent_name: config.agent,
        description: facts.description,
        framework: facts.framework,
        model: facts.model,
        tools: facts.tools,
        mcps: facts.mcps.map(({ name, transport, perInteraction, tools }) => ({ name, transport, per_interaction: perInteraction, tools })),
        agents: facts.agents,
        prompts: facts.prompts.length,
        initialized: true,
        generation: generation.number,
        workers: config.workers,
        auth_enabled: config.authEnabled,
        request_isolation: true,
        limits: {
          max_message_size_bytes: config.maxMessageBytes,
          max_files: UPLOAD_LIMITS.files,
          max_file_bytes: UPLOAD_LIMITS.fileBytes,
          max_upload_bytes: UPLOAD_LIMITS.totalBytes,
          max_turns: facts.maxTurns,
          max_items: facts.maxItems,
          concurrency: config.concurrency,
          queue: config.queueLimit,
          chat_timeout_seconds: config.chatTimeoutMs / 1000,
        },
        version: app.version,
      }),
    );
  };

  const prompts = (context: RequestContext): void => {
    const list = app.generation().facts.prompts;
    sendJson(context, 200, JSON.stringify({ total_prompts: list.length, prompts: list }));
  };

  const row = { method: 'GET', mode: 'agent', scope: 'agent', errors: [] } as const;
  return [
    { ...row, path: '/agent/info', summary: 'What the agent is', success: { status: 200, description: 'The agent.', schema: agentInfoSchema }, handle: info },
    { ...row, path: '/prompts', summary: "The agent's prompts", success: { status: 200, description: 'The prompts.', schema: promptsSchema }, handle: prompts },
  ];
}
