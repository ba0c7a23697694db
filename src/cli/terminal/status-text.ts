import type { StatusDocument } from '../status-document.ts';
import { type Field, formatFields } from './fields.ts';
import { plainPaint } from './paint.ts';
import type { Terminal } from './terminal.ts';

const hiddenInstances = 'told to operators alone: set TILLBOX_TOKEN to the token of one';

/** What runs, for people: a line each, and where the databases are. */
export function formatStatus(document: StatusDocument, { paint, columns }: Terminal): string {
  const state = (ready: boolean) => (ready ? paint.good('ready') : paint.bad('not ready'));
  const fields: Field[] = [['gateway', `${state(document.gateway.ready)}  ${document.gateway.url}`]];
  for (const name of ['orders', 'payments'] as const) {
    const { url, instances } = document[name];
    for (const { pid, ready } of instances) {
      fields.push([name, pid === null ? state(ready) : `${state(ready)}  process ${pid}`]);
    }
    if (instances.length > 0) continue;
    fields.push([name, document.instances_hidden ? paint.faint(hiddenInstances) : `${state(false)}  ${url}`]);
  }
  const urls = new Map<string, string[]>();
  for (const [name, { url }] of Object.entries(document.databases)) {
    if (url !== null) urls.set(url, [...(urls.get(url) ?? []), name]);
  }
  for (const [url, names] of urls) {
    const what = `${names.join(', ')}${document.embedded ? ', in the embedded Postgres' : ''}`;
    fields.push(['database', url], ['', what]);
  }
  return formatFields(fields, plainPaint, columns);
}
