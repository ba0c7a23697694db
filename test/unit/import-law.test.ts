import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

/**
 * The import law: who may know whom. It keeps the path of an order readable by file names, and the two
 * services apart so that only messages can pass between them.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));

interface SourceFile {
  /** Relative to the root, such as src/orders/store.ts. */
  path: string;
  /** Without comments. */
  code: string;
  /** Files of ours it imports, for types too, relative to the root. */
  ours: string[];
  /** Those of them that are there at run time: not imported as types alone. */
  oursAtRunTime: string[];
  /** Packages it imports. */
  packages: string[];
  /** What is loaded with it, of ours and of packages; not what it imports later, when it needs it. */
  loaded: string[];
}

const files = ['bin', 'src', 'migrations', 'knexfile.ts'].flatMap(sourceFilesIn);

function sourceFilesIn(path: string): SourceFile[] {
  const whole = join(root, path);
  if (path.endsWith('.ts')) return [readSourceFile(path)];
  return readdirSync(whole, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readSourceFile(relative(root, join(whole, name))));
}

function readSourceFile(path: string): SourceFile {
  const code = withoutComments(readFileSync(join(root, path), 'utf8'));
  const specifiers = specifiersIn(code);
  const ours = filesAmong(specifiers, path);
  const codeAtRunTime = code.replace(/\b(import|export) type [^;]*;/g, '');
  const oursAtRunTime = filesAmong(specifiersIn(codeAtRunTime), path);
  const packages = specifiers.filter((specifier) => !/^(\.|node:)/.test(specifier));
  const atOnce = specifiersIn(codeAtRunTime.replace(/\bimport\(\s*['"][^'"]*['"]/g, ''));
  const loaded = atOnce.map((name) => (name.startsWith('.') ? join(dirname(path), name) : name));
  return { path, code, ours, oursAtRunTime, packages, loaded };
}

/** Everything that is loaded before the first line of these files runs. */
function loadedWith(...paths: string[]): Set<string> {
  const all = new Set(paths);
  for (const path of all)
    for (const next of files.find((file) => file.path === path)?.loaded ?? []) all.add(next);
  return all;
}

/** What is imported: import … from '…', export … from '…', import '…', import('…'). */
function specifiersIn(code: string): string[] {
  const found = code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"\n]+)['"]/g);
  return [...found].map(([, specifier]) => specifier as string);
}

function filesAmong(specifiers: string[], importer: string): string[] {
  const own = specifiers.filter((specifier) => specifier.startsWith('.'));
  return own.map((specifier) => join(dirname(importer), specifier));
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}

/** The imports of files in a folder that a rule does not allow, as "who imports whom". */
function offences(of: string, isAllowed: (imported: string) => boolean): string[] {
  return files
    .filter(({ path }) => path.startsWith(of))
    .flatMap(({ path, ours }) =>
      ours.filter((imported) => !isAllowed(imported)).map((imported) => `${path} imports ${imported}`),
    );
}

function inAnyOf(...folders: string[]): (path: string) => boolean {
  return (path) => folders.some((folder) => path.startsWith(folder));
}

/** The files outside of `allowed` that import one of these packages. */
function importersOf(packages: RegExp, allowed: (path: string) => boolean): string[] {
  return files
    .filter((file) => !allowed(file.path) && file.packages.some((name) => packages.test(name)))
    .map(({ path }) => path);
}

describe('import law', () => {
  it('reads every source file', () => {
    const paths = files.map(({ path }) => path);
    expect(paths).to.include.members(['bin/tillbox.ts', 'src/orders/store.ts', 'knexfile.ts']);
    const missing = files.flatMap(({ ours }) => ours).filter((path) => !paths.includes(path));
    expect(missing.filter((path) => !path.endsWith('package.json'))).to.deep.equal([]);
    expect(files.find(({ path }) => path === 'src/orders/store.ts')?.ours).to.include.members([
      'src/messaging/messages.ts',
      'src/platform/database.ts',
      'src/orders/order.ts',
    ]);
  });

  it('platform knows nothing of ours but itself', () => {
    expect(offences('src/platform/', inAnyOf('src/platform/'))).to.deep.equal([]);
  });

  it('messaging knows only platform', () => {
    expect(offences('src/messaging/', inAnyOf('src/messaging/', 'src/platform/'))).to.deep.equal([]);
  });

  for (const service of ['src/orders/', 'src/payments/']) {
    it(`${service} knows messaging and platform, and not the other service`, () => {
      expect(offences(service, inAnyOf(service, 'src/messaging/', 'src/platform/'))).to.deep.equal([]);
    });
  }

  it('gateway knows platform, and of the services only what their HTTP looks like', () => {
    const allowed = inAnyOf('src/gateway/', 'src/platform/');
    const isAllowed = (path: string) =>
      allowed(path) || /^src\/(orders|payments)\/http-schemas\.ts$/.test(path);
    expect(offences('src/gateway/', isAllowed)).to.deep.equal([]);
    expect(offences('src/gateway/', (path) => path !== 'src/platform/database.ts')).to.deep.equal([]);
  });

  it('system stands above services and gateway and below the command line', () => {
    expect(offences('src/system/', (path) => !inAnyOf('src/cli/', 'src/tools/', 'bin/')(path))).to.deep.equal(
      [],
    );
    const below = ['gateway', 'orders', 'payments', 'messaging', 'platform'];
    for (const folder of below) {
      expect(offences(`src/${folder}/`, (path) => !path.startsWith('src/system/'))).to.deep.equal([]);
    }
  });

  it('tools stand above the system they look at, and below the command line', () => {
    for (const folder of ['system', 'gateway', 'orders', 'payments', 'messaging', 'platform']) {
      expect(offences(`src/${folder}/`, (path) => !path.startsWith('src/tools/'))).to.deep.equal([]);
    }
    expect(offences('src/tools/', (path) => !inAnyOf('src/cli/', 'bin/')(path))).to.deep.equal([]);
  });

  it('the command line is known by the executables alone', () => {
    expect(offences('src/', (path) => !path.startsWith('bin/'))).to.deep.equal([]);
    const outside = files.filter(({ path }) => !inAnyOf('src/cli/', 'bin/')(path));
    const importers = outside.filter(({ ours }) => ours.some((path) => path.startsWith('src/cli/')));
    expect(importers.map(({ path }) => path)).to.deep.equal([]);
  });

  it('migrations know nothing of ours: what they did yesterday must not change with today', () => {
    expect(offences('migrations/', () => false)).to.deep.equal([]);
  });

  it('only the broker knows pg-boss', () => {
    expect(importersOf(/^pg-boss/, (path) => path.startsWith('src/messaging/broker/'))).to.deep.equal([]);
  });

  it('only the command line knows commander, inquirer and chalk', () => {
    const terminal = /^(commander|inquirer|@inquirer\/.*|chalk)$/;
    expect(importersOf(terminal, inAnyOf('src/cli/'))).to.deep.equal([]);
  });

  it('only platform, system and tools know the database driver, and only system and migrations Knex', () => {
    expect(importersOf(/^pg$/, inAnyOf('src/platform/', 'src/system/', 'src/tools/'))).to.deep.equal([]);
    expect(importersOf(/^knex/, inAnyOf('src/system/', 'migrations/'))).to.deep.equal([]);
  });

  it('SQL stands in the stores, the outbox, the platform that connects, system, tools and migrations alone', () => {
    const statement =
      /['"`]\s*(select\s|insert into\s|update\s+\w+(\.\w+)?\s+set\s|delete from\s|with \w+ as|create (table|schema|role)\s|alter\s|drop\s|truncate\s|begin\b|commit\b)/i;
    const mayHold = (path: string) =>
      /^src\/(orders|payments|messaging|platform)\/([a-z-]+-)?store\.ts$/.test(path) ||
      path === 'src/messaging/outbox.ts' ||
      path.startsWith('src/tools/') ||
      inAnyOf(
        'src/platform/database.ts',
        'src/platform/embedded-postgres',
        'src/system/',
        'migrations/',
      )(path);
    const holders = files.filter(({ code }) => statement.test(code)).map(({ path }) => path);
    expect(holders).to.include.members(['src/orders/store.ts', 'src/messaging/outbox.ts']);
    expect(holders.filter((path) => !mayHold(path))).to.deep.equal([]);
  });

  it('no file imports itself by way of others', () => {
    const imports = new Map(files.map(({ path, oursAtRunTime }) => [path, oursAtRunTime]));
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (path: string, trail: string[]): void => {
      if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
      if (trail.includes(path) || done.has(path)) return;
      for (const next of imports.get(path) ?? []) visit(next, [...trail, path]);
      done.add(path);
    };
    for (const { path } of files) visit(path, []);
    expect(cycles).to.deep.equal([]);
  });

  it('a process loads what it needs: reading the rest would be most of its start', () => {
    const gateway = loadedWith('src/system/serve.ts', 'src/system/serve-gateway.ts');
    expect(gateway).to.include('undici').and.to.not.include.any.keys('pg', 'pg-boss', 'knex');
    for (const [service, other] of [
      ['orders', 'payments'],
      ['payments', 'orders'],
    ]) {
      const own = ['src/system/serve.ts', 'src/system/serve-service.ts', `src/${service}/daemon.ts`];
      const loaded = loadedWith(...own);
      expect(loaded).to.include('pg-boss').and.to.not.include.any.keys('undici', 'jose', 'knex');
      expect(loaded).to.not.include(`src/${other}/daemon.ts`);
    }
    const tools = loadedWith(
      ...files
        .map(({ path }) => path)
        .filter((path) => /^src\/tools\/([a-z-]+|(audit|trace|top|load)\/.*)\.ts$/.test(path)),
    );
    expect(tools).to.include('pg').and.to.not.include.any.keys('ajv', 'fastify', 'pg-boss', 'undici', 'knex');
    const client = loadedWith(
      'bin/tillbox.ts',
      'src/cli/program.ts',
      'src/cli/order.ts',
      'src/cli/balance.ts',
    );
    expect(client)
      .to.include('commander')
      .and.to.not.include.any.keys('pg', 'pino', 'ajv', 'inquirer', 'undici');
  });

  it('everything is within src, migrations and bin: no source file imports a test', () => {
    const tests = files.filter(({ ours }) => ours.some((path) => path.startsWith('test/')));
    expect(tests.map(({ path }) => path)).to.deep.equal([]);
  });

  it('every package imported is a dependency of ours', () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const imported = files
      .filter(({ path }) => inAnyOf('src/', 'bin/', 'migrations/')(path))
      .flatMap(({ packages }) =>
        packages.map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/')),
      );
    expect([...new Set(imported)].filter((name) => !(name in dependencies))).to.deep.equal([]);
  });
});
