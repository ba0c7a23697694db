import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

const textOf = (name: string) => files.find((file) => file.name === name)?.text ?? '';

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

  it('has a tillbox for the shell, with the user, the home and the settings of the units', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tillbox-admin-'));
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o755 });
    try {
      const url = 'postgres://anna:a$b`c@127.0.0.1:5432/shop?sslmode=require&application_name=x y';
      write('database.env', `# A comment.\nDATABASE_URL=${url}\n\n#ORDERS_DATABASE_URL=no`);
      write(
        'tillbox.env',
        `TILLBOX_GATEWAY_SECRET="a secret=" \r\n  TILLBOX_LOG_LEVEL='warn'\t\nTILLBOX X=no\nnothing\n`,
      );
      write('tillbox-admin', textOf('tillbox-admin').replaceAll('/etc/tillbox', folder));
      write('runuser', '#!/bin/sh\necho "as $1 $2 $3"\nshift 3\nexec "$@"\n');
      write('tillbox', '#!/bin/sh\nprintf "<%s>\\n" "$@"\npwd\nenv\nexit 8\n');
      const { status, stdout, stderr } = spawnSync(
        join(folder, 'tillbox-admin'),
        ['dead-letters', 'a b', '--json'],
        {
          encoding: 'utf8',
          env: { PATH: `${folder}:${process.env['PATH']}`, TILLBOX_TOKEN: 'theirs', TILLBOX_HOME: '/other' },
        },
      );
      expect({ status, stderr }).to.deep.equal({ status: 8, stderr: '' });
      const lines = stdout.trim().split('\n');
      const user = /^User=(.*)$/m.exec(textOf('tillbox.service'))?.[1];
      const home = /^Environment=TILLBOX_HOME=(.*)$/m.exec(textOf('tillbox.service'))?.[1];
      expect(lines.slice(0, 5)).to.deep.equal([
        `as -u ${user} --`,
        '<dead-letters>',
        '<a b>',
        '<--json>',
        '/',
      ]);
      expect(lines.filter((line) => /^(TILLBOX_|[A-Z_]*DATABASE_URL)/.test(line))).to.have.members([
        `DATABASE_URL=${url}`,
        'TILLBOX_GATEWAY_SECRET=a secret=',
        'TILLBOX_LOG_LEVEL=warn',
        'TILLBOX_TOKEN=theirs',
        `TILLBOX_HOME=${home}`,
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    const read = (name: string) =>
      [...textOf(name).matchAll(/^EnvironmentFile=-?\/etc\/tillbox\/(\w+)\.env$/gm)].map(([, file]) => file);
    const [, named] = /^for name in (.*); do$/m.exec(textOf('tillbox-admin')) ?? [];
    expect(named?.split(' ')).to.deep.equal(read('tillbox.service'));
    const page = readFileSync(join(root, 'docs/operating.md'), 'utf8');
    expect(page).to.contain('install -m 0755 tillbox-admin /usr/local/sbin/');
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
