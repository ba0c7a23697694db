import { Argument } from 'commander';
import type { TillboxCommand } from './command.ts';

const services = ['gateway', 'orders', 'payments'] as const;

/** `tillbox serve gateway|orders|payments`: one daemon, in this process. */
export function addServe(program: TillboxCommand): void {
  program
    .command('serve')
    .description('Run one daemon in the foreground; its log is JSON lines on stderr.')
    .usage('gateway|orders|payments [options]')
    .addArgument(new Argument('<service>', 'which daemon').choices(services))
    .helped(
      ['serve orders', 'ORDERS_URL=http://127.0.0.1:7430,http://127.0.0.1:7431 tillbox serve gateway'],
      [6],
    )
    .action(async (service: (typeof services)[number]) => {
      const { serve } = await import('../system/serve.ts');
      await serve(service, process.env);
    });
}
