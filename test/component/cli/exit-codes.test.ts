import { expect } from 'chai';
import { createProgram } from '../../../src/cli/program.ts';
import { commandsOf } from '../../../src/cli/reference.ts';
import { openApiDocument } from '../../../src/gateway/openapi.ts';
import { type ErrorCode, errorCatalogue } from '../../../src/platform/errors.ts';
import { eachOf } from '../../support/each-of.ts';
import { runTillbox } from '../../support/running-system.ts';
import { type FakeGateway, orderView, problem, startFakeGateway } from './fake-gateway.ts';
import { freshHome } from './run-tillbox.ts';

/** What each command of the client asks the gateway, as the gateway's own document names it. */
const asked = {
  'create-account alice': 'createAccount',
  'topup alice 1': 'topUp',
  'balance alice': 'readAccount',
  'statement alice': 'listEntries',
  'create-order alice 1': 'createOrder',
  'orders alice': 'listOrders',
  [`order ${orderView().id}`]: 'readOrder',
  [`order ${orderView().id} --watch`]: 'readOrder',
} as const;

/** The codes of every problem that an operation can be answered with. */
function problemsOf(operationId: string): ErrorCode[] {
  const operations = Object.values(openApiDocument().paths).flatMap(Object.values) as {
    operationId?: string;
    responses: Record<string, { description: string }>;
  }[];
  const { responses = {} } = operations.find((operation) => operation.operationId === operationId) ?? {};
  const named = Object.values(responses).flatMap(({ description }) => [
    ...description.matchAll(/`([a-z-]+)`:/g),
  ]);
  return named.map(([, code]) => code as ErrorCode).filter((code) => code in errorCatalogue);
}

describe('the exit codes in the help', function () {
  this.timeout(120_000);
  const home = freshHome();
  const gateways: FakeGateway[] = [];
  after(async () => {
    for (const gateway of gateways) await gateway.stop();
    home.remove();
  });

  it('are those that commands end with, whatever the gateway answers; and none is there in vain', async () => {
    // Every problem once, and every command with each exit code that its problems have.
    const once = new Set<string>();
    const tried = Object.entries(asked).flatMap(([words, operation]) =>
      problemsOf(operation)
        .filter((code) => {
          const isNew = [code, `${words}: ${errorCatalogue[code].exit}`].filter((one) => !once.has(one));
          for (const one of isNew) once.add(one);
          return isNew.length > 0;
        })
        .map((code) => ({ words: words.split(' '), code })),
    );
    const seen = new Map<string, Set<number>>();
    // Most of the time goes into trying again what may pass.
    await eachOf(tried, { atOnce: 12 }, async ({ words, code }) => {
      const gateway = await startFakeGateway(problem(errorCatalogue[code].status, code));
      gateways.push(gateway);
      const { code: exit, stdout } = await runTillbox(words, {
        home: home.home,
        env: { TILLBOX_URL: gateway.url },
      });
      expect({ exit, stdout }, `${words.join(' ')}: ${code}`).to.deep.equal({
        exit: errorCatalogue[code].exit,
        stdout: '',
      });
      const name = words[0] ?? '';
      seen.set(name, (seen.get(name) ?? new Set()).add(exit ?? -1));
    });
    const commands = commandsOf(createProgram());
    for (const [name, exits] of seen) {
      const told = commands.find((command) => command.name() === name)?.exitCodes ?? [];
      // The rest is about orders that were waited for, and interruptions.
      const ofGateway = told.filter((exit) => ![0, 3, 124, 130].includes(exit));
      expect([...exits].sort(), name).to.deep.equal([...ofGateway].sort());
    }
  });
});
