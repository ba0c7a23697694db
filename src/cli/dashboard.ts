import type { Config } from '../platform/config.ts';
import type { Argument } from './arguments.ts';
import type { TillboxCommand } from './command.ts';

const portArgument: Argument<number> = {
  name: '--port',
  field: 'port',
  question: 'Port',
  rule: 'must be a whole number from 0 to 65535',
  read: (text) => (/^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined),
};

interface DashboardOptions {
  port: string;
  host: string;
}

/** `tillbox dashboard`: pg-boss's own dashboard, for an operator's browser. */
export function addDashboard(program: TillboxCommand): void {
  program
    .command('dashboard')
    .description("Show the queues and their jobs in pg-boss's own dashboard, for an operator's browser.")
    .usage('[--port N] [options]')
    .option('--port <port>', 'port it listens on, 0 for any free one', '7450')
    .option(
      '--host <address>',
      'address it listens on; for another than this machine alone an identity and TLS must be configured',
      '127.0.0.1',
    )
    .helped(['dashboard', 'dashboard --port 0 --json'], [4, 6, 7, 130])
    .explained(explanation)
    .action(run);
}

const explanation = `\
The dashboard is a package of its own, @pg-boss/dashboard, which is not installed with tillbox; where it is missing
the command prints the line that installs it. Where the gateway needs a token (TILLBOX_AUTH_SECRET,
TILLBOX_AUTH_JWKS_URL) so does the dashboard, which must be told of them as the gateway is, else it does not start: the
browser asks for a name, which may be any, and a password, which is the token of an operator. It only reads, with the
auditor's login, which can do nothing else; what waits in the dead letters is dealt with by tillbox dead-letters.
Ctrl-C ends it.`;

async function run(options: DashboardOptions, command: TillboxCommand) {
  const { readConfig } = await import('../platform/config.ts');
  const { CodedError } = await import('../platform/errors.ts');
  const { createLogger } = await import('../platform/logging.ts');
  const { databasesAtHand } = await import('../system/databases-at-hand.ts');
  const { localSecret } = await import('../system/local-identity.ts');
  const { Dashboard } = await import('../tools/dashboard/dashboard.ts');
  const { findDashboard } = await import('../tools/dashboard/dashboard-package.ts');
  const { withLogins } = await import('../tools/logins.ts');
  const { readArgument } = await import('./arguments.ts');
  const { ExitWith } = await import('./report-error.ts');
  const { openTerminal } = await import('./terminal/terminal.ts');
  const terminal = await openTerminal(command);
  const port = readArgument(portArgument, options.port);
  const config = readConfig(process.env);
  const program = findDashboard();
  if (databasesAtHand(config) === undefined) {
    const detail = 'No system runs here, and no database is named. Start one: tillbox up.';
    throw new CodedError('unavailable', detail);
  }
  await refuseWayRound(config);
  const log = createLogger('dashboard', config.logLevel);
  const { home, door } = config;
  await withLogins(
    { config, duty: 'auditor', databases: ['broker'], log },
    async ({ broker: databaseUrl }) => {
      const secret = door.secret === undefined ? localSecret(home) : undefined;
      const { host } = options;
      const dashboard = new Dashboard({ program, databaseUrl, host, port, door, localSecret: secret });
      const ended = untilSignal();
      try {
        const started = dashboard.start();
        // Told to end while it starts: nobody waits for it any more.
        started.catch(() => {});
        const url = await Promise.race([started, ended.then(() => undefined)]);
        if (url !== undefined) {
          const token = door.secret !== undefined || door.jwks !== undefined;
          terminal.result({ url, token }, () => described(url, token));
          await Promise.race([ended, dashboard.untilDied()]);
        }
      } finally {
        await dashboard.stop();
      }
      if ((await ended) === 'SIGINT') throw new ExitWith(130);
    },
  );
}

/**
 * Refuses to show what the gateway shows to who has a token alone, when it is not known here what tokens are checked
 * with. @throws CodedError `usage`, or `unavailable` when the gateway does not answer
 */
async function refuseWayRound(config: Config): Promise<void> {
  const { CodedError } = await import('../platform/errors.ts');
  const { gatewayAccess, runningGateway } = await import('../system/gateway-access.ts');
  const { asksForTokens } = await import('../system/health.ts');
  const { door, home, url: named } = config;
  if (door.secret !== undefined || door.jwks !== undefined) return;
  const { url } = gatewayAccess(config);
  const asks = await asksForTokens(url);
  const settings =
    'TILLBOX_AUTH_SECRET, or TILLBOX_AUTH_JWKS_URL with TILLBOX_AUTH_ISSUER and TILLBOX_AUTH_AUDIENCE';
  if (asks === true) {
    const detail = `The gateway at ${url} asks for tokens, and so must the dashboard. Set what it checks them with: ${settings}.`;
    throw new CodedError('usage', detail);
  }
  if (asks === undefined && (named !== undefined || runningGateway(home) !== undefined)) {
    const detail = `The gateway at ${url} does not say whether it asks for tokens. Try again in a moment, or set what tokens are checked with: ${settings}.`;
    throw new CodedError('unavailable', detail);
  }
}

function described(url: string, token: boolean): string {
  const who = token ? 'Sign in with any name, and the token of an operator as password. ' : '';
  return `The queues are at ${url}\n${who}Ctrl-C ends it.`;
}

/** Resolves when it is told to end. */
function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => resolve(signal));
  });
}
