import type { VariableReader } from '../door-config.ts';

/** What OpenTelemetry's variables say of one signal, beside its exporter. */
export interface ExportSettings {
  /** Whether a collector is configured. */
  collector: boolean;
  /** Whether telemetry is switched off. */
  disabled: boolean;
}

/** Reads the exporter of a signal: whether it is sent to a collector. @param hint what else may have been meant */
export function isExported<Name extends string>(
  name: Name,
  { text, refuse }: VariableReader<Name>,
  { collector, disabled }: ExportSettings,
  hint = '',
): boolean {
  const exporter = text(name);
  if (exporter !== undefined && exporter !== 'otlp' && exporter !== 'none')
    refuse(name, `must be otlp or none, not "${exporter}"${hint}`);
  return !disabled && exporter !== 'none' && (collector || exporter === 'otlp');
}
