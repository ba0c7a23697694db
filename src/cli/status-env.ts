import { type DatabaseName, databaseNames } from '../platform/config.ts';
import { redactUrl } from '../platform/secrets.ts';

/** The variables with which another shell reaches what runs, and those left out because they hold a password. */
export interface EnvironmentOfSystem {
  /** Lines for `eval`, in any shell of the Bourne family. */
  exports: string;
  leftOut: string[];
}

/**
 * Exports for a shell.
 * @param databases URLs as the runtime knows them, passwords included
 */
export function environmentOf(
  gatewayUrl: string,
  databases: Readonly<Record<DatabaseName, string | undefined>>,
  showSecrets: boolean,
): EnvironmentOfSystem {
  const exports = [exported('TILLBOX_URL', gatewayUrl)];
  const leftOut: string[] = [];
  for (const name of databaseNames) {
    const url = databases[name];
    if (url === undefined) continue;
    const variable = `${name.toUpperCase()}_DATABASE_URL`;
    // Without its password it would be worth less than nothing: it wins over what tillbox finds by itself.
    if (showSecrets || redactUrl(url) === new URL(url).href) exports.push(exported(variable, url));
    else leftOut.push(variable);
  }
  return { exports: exports.join('\n'), leftOut };
}

function exported(name: string, value: string): string {
  // The semicolon keeps an eval without quotes, which joins the lines, right.
  return `export ${name}='${value.replaceAll("'", "'\\''")}';`;
}
