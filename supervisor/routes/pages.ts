// The open routes that say what there is: links, the OpenAPI document, and Swagger UI from files of the package.
import { AppError } from '../../shared/errors.ts';
import type { App } from '../app.ts';
import { prefersHtml, send, sendJson, type RequestContext } from '../http/context.ts';
import { openApiDocument } from '../openapi.ts';
import { docsPage, homePage, PAGE_FILES, PAGE_HEADERS, readPageFile } from '../pages/pages.ts';
import type { Route } from './route.ts';
import { linksSchema } from './schemas.ts';

/** @param table gives all routes, these included */
export function pageRoutes(app: App, table: () => readonly Route[]): readonly Route[] {
  let document: string | undefined;

  const openApi = (context: RequestContext): void => {
    document ??= JSON.stringify(openApiDocument(table(), app.config.agent, app.version));
    sendJson(context, 200, document);
  };

  const home = (context: RequestContext): void => {
    const links = linksOf(table(), app);
    if (prefersHtml(context.request.headers.accept)) {
      send(context.response, 200, 'text/html; charset=utf-8', homePage(app.config.agent, app.version, links), PAGE_HEADERS);
      return;
    }
    sendJson(context, 200, JSON.stringify({ name: 'OAI Agent Server', version: app.version, agent: app.config.agent, links }));
  };

  const page = { method: 'GET', mode: 'always', scope: 'open', errors: [] } as const;
  return [
    { ...page, path: '/', summary: 'What there is', success: { status: 200, description: 'Links.', schema: linksSchema }, handle: home },
    { ...page, path: '/openapi.json', summary: 'This document', success: { status: 200, description: 'OpenAPI 3.1.' }, handle: openApi },
    {
      ...page,
      path: '/docs',
      summary: 'Swagger UI',
      success: { status: 200, description: 'A page.', contentType: 'text/html' },
      handle: (context) => send(context.response, 200, 'text/html; charset=utf-8', docsPage(app.config.agent), PAGE_HEADERS),
    },
    {
      ...page,
      path: '/docs/{file}',
      summary: 'The files that the pages load',
      success: { status: 200, description: 'The file.', contentType: '*/*' },
      handle: async (context) => {
        const name = context.params['file'] as string;
        const file = PAGE_FILES.get(name);
        if (file === undefined) throw new AppError('NOT_FOUND');
        send(context.response, 200, file.contentType, await pageFile(name), { 'Cache-Control': 'public, max-age=3600' });
      },
    },
  ];
}

/** Relative, so that they hold behind a proxy that strips a prefix. */
function linksOf(routes: readonly Route[], app: App): Record<string, string> {
  const shown = routes.filter(({ path, mode }) => (mode === 'always' || app.config.allowedModes.has(mode)) && !path.startsWith('/docs/') && path !== '/');
  return Object.fromEntries(shown.map(({ method, path, summary }) => [`${method} ${path}`, summary]));
}

/** @throws AppError NOT_FOUND where the installation was made without Swagger UI */
async function pageFile(name: string): Promise<Buffer> {
  return readPageFile(name).catch((error: unknown) => {
    throw new AppError('NOT_FOUND', { message: 'Swagger UI is not installed here; /openapi.json is what it shows.' }, { cause: error });
  });
}
