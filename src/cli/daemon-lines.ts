import type { Logger } from '../platform/logging.ts';
import type { ProcessEvents } from '../system/supervised-process.ts';
import { formatLogLine, isLogRecord } from './terminal/log-line.ts';
import type { Terminal } from './terminal/terminal.ts';

/**
 * What `tillbox up` shows of its daemons: for people, each line under its daemon's name; with `--json` the lines as
 * they are, for whatever collects logs, and what is none within one.
 */
export function daemonLines(terminal: Pick<Terminal, 'json' | 'note'>, log: Logger): ProcessEvents {
  if (!terminal.json) {
    return {
      line: (name, line) => terminal.note(formatLogLine(name, line)),
      died: (name, how) => terminal.note(formatLogLine(name, `died (${how}), starting it again`)),
      started: () => {},
    };
  }
  return {
    line(name, line) {
      if (isLogRecord(line)) terminal.note(line);
      else log.warn({ daemon: name, line }, 'daemon wrote');
    },
    died: (name, how) => log.error({ daemon: name, how }, 'daemon died, starting it again'),
    started: () => {},
  };
}
