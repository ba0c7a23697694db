/**
 * Runs in `npm ci`, after the build: makes the built executable known as `node_modules/.bin/tillbox`, so
 * that `npx tillbox` (and a PATH with `node_modules/.bin`) finds it at once, without npm's own cache.
 */
import { chmodSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';

const executable = new URL('./tillbox.js', import.meta.url);
const binFolder = new URL('../../node_modules/.bin', import.meta.url);

chmodSync(executable, 0o755);
mkdirSync(binFolder, { recursive: true });
rmSync(new URL('tillbox', binFolder), { force: true });
symlinkSync('../../dist/bin/tillbox.js', new URL('tillbox', binFolder));
