import { expect } from 'chai';
import { parseAmount } from '../../../../src/platform/money.ts';
import { type OrderMix, planOrders, usersOf } from '../../../../src/tools/load/order-plan.ts';
import { type Pace, plannedMs, plannedOrders } from '../../../../src/tools/load/pace.ts';

const mix: OrderMix = {
  runId: 'abc',
  users: 20,
  hotShare: 0,
  overdraftShare: 0,
  amountMin: 100n,
  amountMax: 100n,
  seed: 7,
};

function plan(change: Partial<OrderMix> = {}, count = 2_000) {
  const next = planOrders({ ...mix, ...change });
  return Array.from({ length: count }, next);
}

describe('load: the plan of orders', () => {
  it('is the same for the same seed, and another for another', () => {
    const change = { hotShare: 0.2, overdraftShare: 0.1, amountMax: 5_000n };
    expect(plan(change)).to.deep.equal(plan(change));
    expect(plan({ ...change, seed: 8 })).not.to.deep.equal(plan(change));
  });

  it('decides who orders apart from how much', () => {
    const users = (orders: ReturnType<typeof plan>) => orders.map(({ userId }) => userId);
    expect(users(plan({ amountMax: 900n }))).to.deep.equal(users(plan()));
  });

  it('orders for every user, and for nobody else', () => {
    const { rich, poor } = usersOf(mix);
    expect(poor).to.deep.equal([]);
    expect(new Set(plan().map(({ userId }) => userId))).to.deep.equal(new Set(rich));
  });

  it('puts the share asked for on the hot account, in truth and at the ends', () => {
    const onHot = (hotShare: number) =>
      plan({ hotShare }).filter(({ userId }) => userId === 'load-abc-1').length;
    expect(onHot(1)).to.equal(2_000);
    // 600 of 2,000 by draw, and a twentieth of the others.
    expect(onHot(0.3)).to.be.within(550, 800);
  });

  it('gives the share asked for to users without money', () => {
    const { rich, poor } = usersOf({ ...mix, overdraftShare: 0.25 });
    const orders = plan({ overdraftShare: 0.25 });
    for (const { userId, payable } of orders) expect((payable ? rich : poor).includes(userId)).to.equal(true);
    expect(orders.filter(({ payable }) => !payable).length).to.be.within(400, 600);
    expect(plan({ overdraftShare: 1 }).some(({ payable }) => payable)).to.equal(false);
  });

  it('draws amounts from the whole range, both ends included', () => {
    const amounts = plan({ amountMin: 100n, amountMax: 104n }).map(({ amount }) => amount);
    expect([...new Set(amounts)].sort()).to.deep.equal(['1.00', '1.01', '1.02', '1.03', '1.04']);
    const wide = plan({ amountMin: 1n, amountMax: 100_000_000_000n });
    expect(wide.every(({ amount }) => parseAmount(amount) !== undefined)).to.equal(true);
  });
});

describe('load: the pace', () => {
  const pace = (fields: Partial<Pace>): Pace => ({
    ratePerSecond: undefined,
    orders: undefined,
    durationMs: undefined,
    ...fields,
  });

  it('has orders due at even distances, whatever happens', () => {
    const open = pace({ ratePerSecond: 40 });
    expect([0, 1, 2, 4_000].map((index) => plannedMs(open, index))).to.deep.equal([0, 25, 50, 100_000]);
    expect(plannedMs(pace({}), 5)).to.equal(undefined);
  });

  it('knows how many orders there are, when anything says', () => {
    expect(plannedOrders(pace({ orders: 5 }))).to.equal(5);
    expect(plannedOrders(pace({ durationMs: 1_000 }))).to.equal(undefined);
    expect(plannedOrders(pace({ durationMs: 2_500, ratePerSecond: 10 }))).to.equal(25);
    expect(plannedOrders(pace({ durationMs: 2_500, ratePerSecond: 10, orders: 7 }))).to.equal(7);
    expect(plannedOrders(pace({ durationMs: 100, ratePerSecond: 0.1 }))).to.equal(1);
  });
});
