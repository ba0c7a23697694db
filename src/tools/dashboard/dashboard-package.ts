import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodedError } from '../../platform/errors.ts';

/** pg-boss's own dashboard: 100 MB that few want, so nobody has to install it. The version is the one tried. */
const name = '@pg-boss/dashboard';
const version = '1.9.0';

/**
 * The program of the dashboard, where it is installed beside tillbox.
 * @throws CodedError `usage` that says how to install it
 */
export function findDashboard(from: string = import.meta.url): string {
  try {
    const program = join(dirname(createRequire(from).resolve(`${name}/package.json`)), 'bin', 'cli.js');
    if (existsSync(program)) return program;
  } catch {
    // Said below.
  }
  const detail = `pg-boss's dashboard is not installed. Install it with:\n  ${installLine(packageRoot(from))}`;
  throw new CodedError('usage', detail);
}

/** The line that puts it where this tillbox finds it: beside it, whether it lies in a clone, a project or globally. */
export function installLine(root: string): string {
  const wanted = `${name}@${version}`;
  const holder = dirname(root);
  if (basename(holder) !== 'node_modules') return `npm install --no-save --prefix ${quoted(root)} ${wanted}`;
  const project = dirname(holder);
  return existsSync(join(project, 'package.json'))
    ? `npm install --prefix ${quoted(project)} ${wanted}`
    : `npm install --global ${wanted}`;
}

/** The folder of tillbox's own package: this file's place differs between source and build. */
function packageRoot(from: string): string {
  let folder = dirname(fileURLToPath(from));
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}

function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
