import { escapeHtml } from '../platform/html.ts';
import type { OpenApiDocument } from './openapi.ts';

/** The OpenAPI document as one page to read: no script, nothing loaded from elsewhere. */
export function docsPage(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) =>
      operationSection(method, path, operation as Operation),
    ),
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>tillbox ${escapeHtml(document.info.version)}: HTTP</title>
<style>${style}</style>
<main>
<h1>tillbox <small>${escapeHtml(document.info.version)}</small></h1>
<p>${escapeHtml(document.info.description)} The same as a machine reads it: <a href="/openapi.json">openapi.json</a>.</p>
${operations.join('\n')}
</main>
</html>
`;
}

interface Operation {
  summary: string;
  parameters?: { name: string; in: string; required: boolean; description?: string }[];
  requestBody?: { content: Record<string, { schema: BodySchema }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: BodySchema }> }>;
}

interface BodySchema {
  required?: readonly string[];
  properties?: Record<
    string,
    { description?: string; type?: string | readonly string[]; enum?: readonly string[] }
  >;
}

function operationSection(method: string, path: string, operation: Operation): string {
  const parameters = (operation.parameters ?? []).map(({ name, in: place, required, description }) => [
    name,
    `${place}${required ? '' : ', optional'}`,
    description ?? '',
  ]);
  const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
  const fields = Object.entries(body?.properties ?? {}).map(([name, { description }]) => [
    name,
    `body${body?.required?.includes(name) ? '' : ', optional'}`,
    description ?? '',
  ]);
  const answers = Object.entries(operation.responses).map(([status, { description, content }]) => {
    const schema = Object.values(content ?? {})[0]?.schema;
    const names = Object.keys(schema?.properties ?? {});
    return [status, '', names.length > 0 ? `${description}: ${names.join(', ')}` : description];
  });
  return `<section>
<h2><b class="${method}">${method.toUpperCase()}</b> <code>${escapeHtml(path)}</code></h2>
<p>${escapeHtml(operation.summary)}.</p>
${table('Request', [...parameters, ...fields])}
${table('Answers', answers)}
</section>`;
}

function table(caption: string, rows: string[][]): string {
  if (rows.length === 0) return '';
  const cells = rows.map(
    ([name = '', place = '', text = '']) =>
      `<tr><th scope="row"><code>${escapeHtml(name)}</code><td>${escapeHtml(place)}<td>${escapeHtml(text)}`,
  );
  return `<table><caption>${caption}</caption>${cells.join('')}</table>`;
}

const style = `
:root { color-scheme: light dark; --edge: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 }
main { max-width: 54rem; margin: 0 auto; padding: 2rem 1rem 6rem }
h1 small { font-weight: normal; opacity: .6 }
section { border-top: 1px solid var(--edge); padding: 1rem 0 }
h2 { font-size: 1.1rem; margin: 0 }
h2 b { font-size: .8rem; padding: .1rem .5rem; border-radius: .3rem; background: #2463c4; color: #fff }
h2 b.post { background: #1a7f42 }
table { border-collapse: collapse; width: 100%; font-size: .9rem; margin: .5rem 0 }
caption { text-align: left; opacity: .6 }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-top: 1px solid var(--edge); font-weight: normal }
th { width: 10rem } td:nth-child(2) { width: 8rem; opacity: .6 }
`;
