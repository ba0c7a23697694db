import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { identityOf, isRunning } from '../../../src/platform/process-identity.ts';
import { ownerOfLock, releaseLock, takeLock } from '../../../src/system/process-lock.ts';

describe('process lock', () => {
  let folder: string;
  const children: ChildProcess[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tillbox-lock-'));
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  /** A process that lives until it is killed. */
  async function otherProcess(): Promise<ChildProcess & { pid: number }> {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    children.push(child);
    await once(child, 'spawn');
    return child as ChildProcess & { pid: number };
  }

  function leaveLock(owner: object): void {
    writeFileSync(join(folder, 'up.lock'), JSON.stringify(owner));
  }

  it('is had by who takes it, and names them to whoever comes later', () => {
    expect(takeLock(folder)).to.equal(undefined);
    expect(ownerOfLock(folder)).to.deep.equal(identityOf());
    expect(takeLock(folder)).to.deep.equal(identityOf());
  });

  it('is free again when it is given back', () => {
    takeLock(folder);
    releaseLock(folder);
    expect(ownerOfLock(folder)).to.equal(undefined);
    expect(takeLock(folder)).to.equal(undefined);
  });

  it('belongs to another process as long as that lives, and not longer', async () => {
    const other = await otherProcess();
    const owner = identityOf(other.pid);
    leaveLock(owner ?? {});
    expect(takeLock(folder)).to.deep.equal(owner);
    other.kill('SIGKILL');
    await once(other, 'exit');
    expect(isRunning(owner)).to.equal(false);
    expect(takeLock(folder)).to.equal(undefined);
    expect(ownerOfLock(folder)).to.deep.equal(identityOf());
  });

  it('is taken over when a stranger has the old process id now', async () => {
    const stranger = await otherProcess();
    leaveLock({ pid: stranger.pid, startedAt: 'long ago' });
    expect(takeLock(folder)).to.equal(undefined);
  });

  it('is taken over when the file is not readable as a lock', () => {
    for (const content of ['', '{', 'null', '{"pid":"x"}']) {
      writeFileSync(join(folder, 'up.lock'), content);
      expect(takeLock(folder), content).to.equal(undefined);
      releaseLock(folder);
    }
  });

  it('leaves nothing else in the folder', () => {
    leaveLock({ pid: 1, startedAt: 'long ago' });
    takeLock(folder);
    takeLock(folder);
    expect(readdirSync(folder)).to.deep.equal(['up.lock']);
  });

  it('is had by exactly one of many that start at the same time over a stale one', async () => {
    leaveLock({ pid: 1, startedAt: 'long ago' });
    const script = `
      import { takeLock } from ${JSON.stringify(new URL('../../../src/system/process-lock.ts', import.meta.url))};
      process.stdin.once('data', () => process.stdout.write(takeLock(process.argv[1]) ? 'refused' : 'had'));
      process.stdout.write('ready ');`;
    const starters = Array.from({ length: 6 }, () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder]);
      children.push(child);
      return child;
    });
    const outputs = starters.map(() => '');
    starters.forEach((child, index) => {
      child.stdout.on('data', (text) => {
        outputs[index] += text;
      });
    });
    await Promise.all(starters.map((child) => once(child.stdout, 'data')));
    const answers = starters.map((child) => once(child.stdout, 'data'));
    for (const child of starters) child.stdin.write('go\n');
    await Promise.all(answers);
    const had = outputs.filter((output) => output === 'ready had');
    expect(had, outputs.join()).to.have.length(1);
  });
});
