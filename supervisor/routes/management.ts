// The routes that act on the server itself: reload it, end it.
import type { App } from '../app.ts';
import { sendJson, type RequestContext } from '../http/context.ts';
import type { Route } from './route.ts';
import { initializedSchema, killedSchema, restartedSchema } from './schemas.ts';

/** So long the answer of /kill may take to leave; the process is to be gone within a second. */
const LAST_ANSWER_MS = 200;

export function managementRoutes(app: App): readonly Route[] {
  const initialize = async (context: RequestContext): Promise<void> => {
    const { generation } = await app.reloads.request('agent', 'POST /agent/initialize');
    sendJson(context, 200, JSON.stringify({ message: 'Agent initialized successfully', initialized: true, generation }));
  };

  const restart = async (context: RequestContext): Promise<void> => {
    const { generation, remaining, ms, needsRestart } = await app.reloads.request('all', 'POST /restart');
    const answer = { message: 'Server restarted gracefully', agent: app.config.agent, generation, remaining_requests: remaining, ms, needs_restart: needsRestart };
    sendJson(context, 200, JSON.stringify(answer));
  };

  const kill = (context: RequestContext): void => {
    const { response } = context;
    const timer = setTimeout(app.kill, LAST_ANSWER_MS);
    response.once('close', () => {
      clearTimeout(timer);
      app.kill();
    });
    response.setHeader('Connection', 'close');
    sendJson(context, 200, JSON.stringify({ message: 'Server killed immediately', agent: app.config.agent }));
  };

  const row = { method: 'POST', mode: 'agent', scope: 'admin' } as const;
  return [
    {
      ...row,
      path: '/agent/initialize',
      summary: "Read the agent's files anew; a version that does not load changes nothing",
      success: { status: 200, description: 'The new version serves.', schema: initializedSchema },
      errors: ['RELOAD_FAILED', 'STOPPING'],
      handle: initialize,
    },
    {
      ...row,
      path: '/restart',
      summary: "Read configuration, .env and the agent's files anew; a version that does not load changes nothing",
      success: { status: 200, description: 'The new version serves.', schema: restartedSchema },
      errors: ['RELOAD_FAILED', 'STOPPING'],
      handle: restart,
    },
    {
      ...row,
      path: '/kill',
      summary: 'End the process within a second, whatever its workers do',
      success: { status: 200, description: 'It ends.', schema: killedSchema },
      errors: [],
      handle: kill,
    },
  ];
}
