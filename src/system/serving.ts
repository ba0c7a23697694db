import type { Meter } from '@opentelemetry/api';
import type { Config } from '../platform/config.ts';
import type { Daemon } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import type { Spans } from '../platform/telemetry/spans.ts';

/** What a process has for the daemon that it serves. */
export interface Serving {
  config: Config;
  log: Logger;
  meter: Meter | undefined;
  spans: Spans | undefined;
  /** Aborts when the process is told to stop. */
  stopping: AbortSignal;
  /** Takes the daemon that is to be stopped then; the last one given. */
  hold(daemon: Daemon): void;
}
