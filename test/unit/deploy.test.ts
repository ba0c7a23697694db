import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { createProgram } from '../../src/cli/program.ts';
import { environmentVariables } from '../../src/platform/config.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const systemd = join(root, 'deploy/systemd');
const files = ['systemd', 'docker'].flatMap((folder) =>
  readdirSync(join(root, 'deploy', folder)).map((name) => ({
    name,
    text: readFileSync(join(root, 'deploy', folder, name), 'utf8'),
  })),
);

describe('deploy', () => {
  it('names no variable that tillbox does not know', () => {
    const named = files.flatMap(({ text }) => [
      ...text.matchAll(
        /\b(TILLBOX_[A-Z_]+|GATEWAY_[A-Z]+|(?:ORDERS|PAYMENTS|BROKER)_[A-Z_]+|DATABASE_URL)\b/g,
      ),
    ]);
    const names = new Set(named.map(([name]) => name));
    expect(names.size).to.be.greaterThan(10);
    expect([...names].filter((name) => !Object.hasOwn(environmentVariables, name))).to.deep.equal([]);
  });

  it('runs commands that there are', () => {
    const commands = createProgram().commands.map((command) => command.name());
    const run = files.flatMap(({ text }) => [...text.matchAll(/^ExecStart=.*\btillbox ([\w-]+)/gm)]);
    const inImage = files.flatMap(({ text }) => [...text.matchAll(/^CMD \["([\w-]+)"[^\]]*\]/gm)]);
    expect(run).to.have.lengthOf(5);
    expect(inImage).to.have.lengthOf(1);
    for (const [, command] of [...run, ...inImage]) expect(commands).to.include(command);
  });

  it('has units that systemd understands, where there is systemd', function () {
    this.timeout(90_000);
    if (spawnSync('systemd-analyze', ['--version']).error !== undefined) return this.skip();
    const folder = mkdtempSync(join(tmpdir(), 'tillbox-units-'));
    try {
      const units = readdirSync(systemd).filter((name) => /\.(service|target)$/.test(name));
      // A template is looked at as one of its instances.
      const instances = units.map((name) => name.replace('@.', '@7430.'));
      for (const [index, name] of units.entries()) {
        copyFileSync(join(systemd, name), join(folder, name));
        if (name.includes('@')) copyFileSync(join(systemd, name), join(folder, instances[index] ?? name));
      }
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...instances], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` },
      });
      const complaints = stderr.split('\n').filter((line) => line.includes('tillbox'));
      expect({ status, complaints }).to.deep.equal({ status: 0, complaints: [] });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('lets each instance of a service have a name and a port for metrics of its own', () => {
    for (const service of ['orders', 'payments']) {
      const unit = files.find(({ name }) => name === `tillbox-${service}@.service`);
      expect(unit?.text)
        .to.match(new RegExp(`^Environment=.*TILLBOX_INSTANCE=${service}-%i`, 'm'))
        .and.match(new RegExp(`^EnvironmentFile=-/etc/tillbox/${service}-%i\\.env$`, 'm'));
    }
    const shared = files.find(({ name }) => name === 'tillbox.env.example');
    expect(shared?.text).to.not.include('METRICS_PORT');
  });

  it('lets only the daemons that need it see the database', () => {
    const gateway = files.find(({ name }) => name === 'tillbox-gateway.service');
    expect(gateway?.text).to.not.include('database.env');
  });

  it('lets only the gateway see what tokens are checked with', () => {
    const whoReads = files.filter(({ text }) => text.includes('/gateway.env')).map(({ name }) => name);
    expect(whoReads).to.include('tillbox-gateway.service');
    expect(whoReads.filter((name) => /orders|payments|migrate/.test(name))).to.deep.equal([]);
    const shared = files.find(({ name }) => name === 'tillbox.env.example');
    expect(shared?.text).to.include('TILLBOX_GATEWAY_SECRET').and.not.include('AUTH');
  });
});
