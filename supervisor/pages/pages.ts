// The two pages that the server shows a browser, and the files that they load: all from the package, none from elsewhere.
import { readFile } from 'node:fs/promises';

/** Scripts, styles and connections of our own only; Swagger UI draws its icons from data: URLs. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export const PAGE_HEADERS = { 'Content-Security-Policy': POLICY, 'Referrer-Policy': 'no-referrer' } as const;

interface PageFile {
  readonly contentType: string;
  /** In this folder, else one of the package swagger-ui-dist. */
  readonly own: boolean;
}

export const PAGE_FILES: ReadonlyMap<string, PageFile> = new Map([
  ['swagger-ui.css', { contentType: 'text/css', own: false }],
  ['swagger-ui-bundle.js', { contentType: 'text/javascript', own: false }],
  ['docs.js', { contentType: 'text/javascript', own: true }],
  ['page.css', { contentType: 'text/css', own: true }],
]);

/** The built package has Swagger UI's files beside this one; a checkout finds them among its development dependencies. */
export async function readPageFile(name: string): Promise<Buffer> {
  if (PAGE_FILES.get(name)?.own === true) return readFile(new URL(`./${name}`, import.meta.url));
  const bundled = new URL(`./swagger-ui/${name}`, import.meta.url);
  return readFile(bundled).catch(() => readFile(new URL(import.meta.resolve(`swagger-ui-dist/${name}`))));
}

export function docsPage(agent: string): string {
  return page(
    `${agent}: API`,
    '<link rel="stylesheet" href="docs/swagger-ui.css">',
    '<div id="swagger-ui"></div>\n<script src="docs/swagger-ui-bundle.js"></script>\n<script src="docs/docs.js"></script>',
  );
}

/** @param links what each `METHOD /path` is for */
export function homePage(agent: string, version: string, links: Readonly<Record<string, string>>): string {
  const rows = Object.entries(links).map(([link, summary]) => `<tr><td>${linkOf(link)}</td><td>${escape(summary)}</td></tr>`);
  return page(
    agent,
    '',
    `<main>\n<h1>${escape(agent)}</h1>\n<p>Served by OAI Agent Server ${escape(version)}. <a href="docs">API documentation</a></p>\n` +
      `<table>\n${rows.join('\n')}\n</table>\n</main>`,
  );
}

function linkOf(link: string): string {
  const [method, path] = link.split(' ') as [string, string];
  const text = `<code>${escape(link)}</code>`;
  return method === 'GET' && !path.includes('{') ? `<a href="${escape(path.slice(1))}">${text}</a>` : text;
}

function page(title: string, head: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/page.css">
${head}
</head>
<body>
${body}
</body>
</html>
`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
