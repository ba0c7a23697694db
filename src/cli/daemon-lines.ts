import type { Logger } from '../platform/logging.ts';
import type { ProcessEvents } from '../system/supervised-process.ts';
import { formatLogLine, isLogRecord } from './terminal/log-line.ts';
import type { Terminal } from './terminal/terminal.ts';

/** How a daemon ends that has another login to start with. */
const intended = 'exit code 0';

/**
 * What `tillbox up` shows of its daemons: to people at a terminal, each line under its daemon's name; with `--json`, and
 * wherever else lines are kept, the lines as they are, for whatever collects logs, and what is none within one.
 */
export function daemonLines(
  { toPeople, note }: { toPeople: boolean; note: Terminal['note'] },
  log: Logger,
): ProcessEvents {
  if (toPeople) {
    return {
      line: (name, line) => note(formatLogLine(name, line)),
      died: (name, how) =>
        note(formatLogLine(name, `${how === intended ? 'ended' : 'died'} (${how}), starting it again`)),
      started: () => {},
    };
  }
  return {
    line(name, line) {
      if (isLogRecord(line)) note(line);
      else log.warn({ daemon: name, line }, 'daemon wrote');
    },
    died: (name, how) =>
      how === intended
        ? log.info({ daemon: name, how }, 'daemon ended, starting it again')
        : log.error({ daemon: name, how }, 'daemon died, starting it again'),
    started: () => {},
  };
}
