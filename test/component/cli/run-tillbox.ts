import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const executable = fileURLToPath(new URL('../../../dist/bin/tillbox.js', import.meta.url));

/** How a run of tillbox ended. */
export interface Run {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A run under way. */
export interface Running {
  child: ChildProcessByStdio<null, Readable, Readable>;
  ended: Promise<Run>;
}

/** Starts tillbox as it is built, off a terminal, with no environment but the one given. */
export function startTillbox(words: readonly string[], environment: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [executable, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', ...environment },
  });
  const ended = new Promise<Run>((resolve) => {
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended };
}

/** Runs tillbox to its end. */
export function runTillbox(words: readonly string[], environment: Record<string, string> = {}): Promise<Run> {
  return startTillbox(words, environment).ended;
}

/** A fresh TILLBOX_HOME, and its removal. */
export function freshHome(): { home: string; remove(): void } {
  const home = mkdtempSync(join(tmpdir(), 'tillbox-cli-'));
  return { home, remove: () => rmSync(home, { recursive: true, force: true }) };
}
