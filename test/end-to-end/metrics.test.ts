import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { RunningSystem } from '../support/running-system.ts';
import { scrape } from '../support/scrape.ts';

describe('metrics of a running system', function () {
  this.timeout(90_000);
  const system = new RunningSystem(['--instances', 'payments=2'], { TILLBOX_METRICS_PORT: '0' });
  before(() => system.start());
  after(() => system.stop());

  /** The endpoints by the names of their daemons, as the log tells them. */
  function endpoints(): Record<string, string> {
    const found = system.log.filter(({ msg }) => msg === 'metrics listening');
    return Object.fromEntries(found.map(({ instance, url }) => [instance, url]));
  }

  it('are at a port of its own for each daemon, under its name, on this machine alone', async () => {
    const urls = endpoints();
    expect(Object.keys(urls).sort()).to.deep.equal(['gateway', 'orders', 'payments-1', 'payments-2']);
    expect(new Set(Object.values(urls)).size).to.equal(4);
    for (const [name, url] of Object.entries(urls)) {
      expect(new URL(url).hostname).to.equal('127.0.0.1');
      const { of } = await scrape(url);
      expect(of('process_memory_usage', { service_instance_id: name })).to.be.above(0);
      expect(of('tillbox_ready'), name).to.equal(1);
    }
  });

  it('agree with what the command line says happened', async () => {
    await system.json(['create-account', 'anna']);
    await system.json(['topup', 'anna', '100']);
    await system.run(['create-order', 'anna', '60', '--wait']);
    await system.run(['create-order', 'anna', '60', '--wait']);
    const urls = endpoints();
    await eventually(async () => {
      const { of } = await scrape(urls['orders'] as string);
      expect(of('tillbox_orders_accepted_total')).to.equal(2);
      expect(of('tillbox_orders_settled_total', { status: 'FINISHED' })).to.equal(1);
      expect(of('tillbox_orders_settled_total', { reason: 'INSUFFICIENT_FUNDS' })).to.equal(1);
    });
    const gateway = await scrape(urls['gateway'] as string);
    const created = { http_route: '/orders', http_request_method: 'POST', http_response_status_code: '201' };
    expect(gateway.of('http_server_request_duration_count', created)).to.equal(2);
    const payments = await Promise.all(
      ['payments-1', 'payments-2'].map((name) => scrape(urls[name] as string)),
    );
    const decided = payments.map(({ of }) => of('tillbox_step_duration_count', { step: 'decided' }) || 0);
    expect(decided.reduce((sum, orders) => sum + orders, 0)).to.equal(2);
  });
});
