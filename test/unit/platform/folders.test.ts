import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { makeFolder } from '../../../src/platform/folders.ts';

describe('platform: folders', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tillbox-folders-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('makes what is missing, for its owner alone, and may be told so twice', () => {
    const path = join(root, 'a', 'b');
    makeFolder(path);
    makeFolder(path);
    for (const folder of [path, join(root, 'a')]) expect(statSync(folder).mode & 0o777).to.equal(0o700);
  });

  it('refuses what is no folder, and what is below such a thing', () => {
    writeFileSync(join(root, 'file'), '');
    expect(() => makeFolder(join(root, 'file'))).to.throw(/EEXIST/);
    expect(() => makeFolder(join(root, 'file', 'below'))).to.throw(/ENOTDIR/);
  });

  it('gives up where no folder can be', function () {
    if (process.platform !== 'linux') return this.skip();
    expect(() => makeFolder('/proc/no-such-process/home')).to.throw(/ENOENT/);
  });
});
