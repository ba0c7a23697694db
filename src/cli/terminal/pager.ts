import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { withoutSecrets } from '../../platform/secrets.ts';
import { textWidth } from './text-width.ts';

/** Whether a text has more lines than a screen of this size shows above the prompt that follows. */
export function isLongerThan(screen: { columns: number; rows: number }, text: string): boolean {
  const lines = text.split('\n');
  const rows = lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(textWidth(line) / screen.columns)), 0);
  return rows >= screen.rows;
}

/**
 * Shows a text in the user's pager, `$PAGER` or less, and resolves when they leave it.
 * @returns false when there is none: `PAGER` is empty or `cat`, or it cannot be run
 */
export async function showInPager(text: string): Promise<boolean> {
  const chosen = process.env['PAGER'];
  if (chosen === '' || chosen === 'cat') return false;
  const command = chosen ?? 'command -v less > /dev/null || exit 127; exec less -FRX';
  // As git does: less ends by itself when all fits, shows colours, and leaves the text on the screen.
  const env = { LESS: 'FRX', ...withoutSecrets(process.env) };
  const pager = spawn('sh', ['-c', command], { env, stdio: ['pipe', 'inherit', 'inherit'] });
  const interruptions = process.listeners('SIGINT');
  // Ctrl-C is the pager's while it has the terminal.
  process.removeAllListeners('SIGINT').on('SIGINT', ignore);
  try {
    // One that is left early reads no further.
    pager.stdin.on('error', ignore);
    pager.stdin.end(`${text}\n`);
    const [code] = await once(pager, 'exit');
    return code !== 126 && code !== 127;
  } catch {
    return false;
  } finally {
    process.removeListener('SIGINT', ignore);
    for (const listener of interruptions) process.on('SIGINT', listener);
  }
}

function ignore(): void {}
