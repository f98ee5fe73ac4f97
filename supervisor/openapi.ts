// /openapi.json, made from the route table and the schemas that the routes validate with.
import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../shared/errors.ts';
import type { Route } from './routes/route.ts';
import { problemSchema } from './routes/schemas.ts';

/** What every route can answer, because of the checks that come before any handler. */
const COMMON_ERRORS = ['MALFORMED_REQUEST', 'NOT_FOUND', 'MODE_NOT_ALLOWED', 'METHOD_NOT_ALLOWED', 'INTERNAL'] as const satisfies readonly ErrorCode[];
const ACCESS_ERRORS = ['DUPLICATE_CREDENTIALS', 'UNAUTHORIZED', 'FORBIDDEN', 'RATE_LIMITED', 'STORE_UNAVAILABLE'] as const satisfies readonly ErrorCode[];

const SECURITY_SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer' },
  apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
};

/** @returns the document as an object of OpenAPI 3.1 */
export function openApiDocument(routes: readonly Route[], agentName: string, version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = (paths[route.path] ??= {});
    path[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: '3.1.0',
    info: { title: `OAI Agent Server: ${agentName}`, version },
    servers: [{ url: '.' }],
    paths,
    components: { securitySchemes: SECURITY_SCHEMES, schemas: { Problem: { description: errorTable(), ...(jsonSchema(problemSchema) as object) } } },
  };
}

function operationOf(route: Route): unknown {
  const { success } = route;
  const contentType = success.contentType ?? 'application/json';
  const hasBody = success.status !== 204;
  return {
    summary: route.summary,
    tags: [route.mode],
    ...(route.scope === 'open' ? {} : { security: [{ bearer: [] }, { apiKey: [] }], 'x-scope': route.scope }),
    parameters: parametersOf(route),
    ...(route.body === undefined ? {} : { requestBody: { required: true, content: { [route.bodyType ?? 'application/json']: { schema: jsonSchema(route.body) } } } }),
    responses: {
      [success.status]: {
        description: success.description,
        ...(hasBody ? { content: { [contentType]: success.schema === undefined ? {} : { schema: jsonSchema(success.schema) }, ...otherContent(success.otherTypes) } } : {}),
      },
      ...errorResponses([...COMMON_ERRORS, ...(route.scope === 'open' ? [] : ACCESS_ERRORS), ...route.errors]),
    },
  };
}

function parametersOf(route: Route): unknown[] {
  const inPath = [...route.path.matchAll(/\{([a-z_]+)\}/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
  const inQuery = Object.entries(route.query?.shape ?? {}).map(([name, schema]) => {
    const { description, ...rest } = jsonSchema(schema as z.ZodType) as { description?: string };
    return { name, in: 'query', required: false, ...(description === undefined ? {} : { description }), schema: rest };
  });
  const resumes = route.streams === true && route.method === 'GET';
  const inHeader = resumes ? [{ name: 'Last-Event-ID', in: 'header', required: false, schema: { type: 'integer', minimum: 0 } }] : [];
  return [...inPath, ...inQuery, ...inHeader];
}

function otherContent(types: readonly string[] = []): Record<string, unknown> {
  return Object.fromEntries(types.map((type) => [type, { schema: { type: 'string' } }]));
}

function errorResponses(codes: readonly ErrorCode[]): Record<string, unknown> {
  const byStatus = Map.groupBy(new Set(codes), (code) => ERRORS[code].status);
  const problem = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
  return Object.fromEntries([...byStatus].map(([status, list]) => [status, { description: list.join(', '), content: problem }]));
}

function errorTable(): string {
  const rows = Object.entries(ERRORS).map(([code, { status, message }]) => `| ${code} | ${status} | ${message} |`);
  return ['Error codes; an error event carries them in lower case.', '', '| code | status | meaning |', '|---|---|---|', ...rows].join('\n');
}

function jsonSchema(schema: z.ZodType): unknown {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' });
  return rest;
}
