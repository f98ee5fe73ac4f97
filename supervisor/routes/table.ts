// The one table of routes: path, method, mode, scope, schemas, handler.
import type { App } from '../app.ts';
import { agentRoutes } from './agent.ts';
import { chatRoutes } from './chat.ts';
import { logRoutes } from './logs.ts';
import { managementRoutes } from './management.ts';
import { pageRoutes } from './pages.ts';
import type { Route } from './route.ts';
import { systemRoutes } from './system.ts';
import { tokenRoutes } from './tokens.ts';

export function routeTable(app: App): readonly Route[] {
  const table: Route[] = [];
  table.push(...chatRoutes(app), ...agentRoutes(app), ...managementRoutes(app), ...logRoutes(app), ...tokenRoutes(app), ...systemRoutes(app), ...pageRoutes(app, () => table));
  return table;
}
