import { expect } from 'chai';
import { clientAddresses, countedAddress, isOfThisMachine } from '../../../src/platform/client-address.ts';
import { hostCheck } from '../../../src/platform/hosts.ts';

describe('the hosts a gateway answers for', () => {
  const isOurs = hostCheck(['shop.example', 'gateway']);
  for (const host of [
    '127.0.0.1:7420',
    'localhost',
    'LOCALHOST:1',
    '[::1]:7420',
    '10.1.2.3',
    'gateway:80',
    'a.localhost',
    'shop.example',
    'Shop.Example:443',
    'shop.example.',
    undefined,
  ]) {
    it(`has ${host} among them`, () => expect(isOurs(host)).to.equal(true));
  }
  for (const host of [
    'evil.example',
    'attackerpc:17524',
    'tillbox',
    'evil.example:7420',
    'shop.example.evil.com',
    'notshop.example',
    '127.0.0.1.evil.com',
    'localhost.evil.com',
    '',
    '[::1].evil.com',
    '[evil.com]',
    'a b',
    'evil.com:',
    '127.0.0.1@evil.com',
    '2130706433',
  ]) {
    it(`has not "${host}" among them`, () => expect(isOurs(host)).to.equal(false));
  }
});

describe('the address of a client', () => {
  const behind = clientAddresses([
    { address: '10.0.0.0', prefix: 8, family: 'ipv4' },
    { address: 'fd00::', prefix: 8, family: 'ipv6' },
  ]);

  it('is the last one on the way that is not a proxy of ours', () => {
    expect(behind.clientOf('10.0.0.1', '203.0.113.9')).to.equal('203.0.113.9');
    expect(behind.clientOf('::ffff:10.0.0.1', '203.0.113.9, 10.2.2.2')).to.equal('203.0.113.9');
    expect(behind.clientOf('fd00::1', '2001:db8::1')).to.equal('2001:db8::1');
  });

  it('is not what a client writes in front of it', () => {
    expect(behind.clientOf('10.0.0.1', '1.1.1.1, 127.0.0.1, 203.0.113.9')).to.equal('203.0.113.9');
  });

  it('is the peer where that is no proxy, whatever it says', () => {
    expect(behind.clientOf('203.0.113.9', '1.1.1.1')).to.equal('203.0.113.9');
    expect(clientAddresses([]).clientOf('127.0.0.1', '1.1.1.1')).to.equal('127.0.0.1');
  });

  it('is never this machine where the connection comes from another one', () => {
    expect(behind.clientOf('10.0.0.5', '127.0.0.1, 10.1.2.3')).to.equal('10.1.2.3');
    expect(behind.clientOf('10.1.2.3', '127.0.0.1')).to.equal('10.1.2.3');
    const near = clientAddresses([{ address: '127.0.0.1', prefix: 32, family: 'ipv4' }]);
    expect(near.clientOf('127.0.0.1', '127.0.0.9')).to.equal('127.0.0.9');
    const both = clientAddresses([
      { address: '127.0.0.1', prefix: 32, family: 'ipv4' },
      { address: '10.0.0.0', prefix: 8, family: 'ipv4' },
    ]);
    expect(both.clientOf('127.0.0.1', '127.0.0.9, 10.0.0.5')).to.equal('10.0.0.5');
  });

  it('is read with a port and in brackets too, as some proxies write it', () => {
    for (const [hop, address] of [
      ['203.0.113.9:4711', '203.0.113.9'],
      ['[2001:db8::1]:443', '2001:db8::1'],
      ['[2001:db8::1]', '2001:db8::1'],
      ['[::ffff:203.0.113.9]:1', '203.0.113.9'],
    ] as const) {
      expect(behind.clientOf('10.0.0.1', `1.1.1.1, ${hop}`)).to.equal(address);
      expect(behind.clientOf('10.0.0.1', `${hop}, 10.2.2.2:80`)).to.equal(address);
    }
  });

  it('is never this machine where a proxy of this machine names nobody one can read', () => {
    const near = clientAddresses([{ address: '127.0.0.0', prefix: 8, family: 'ipv4' }]);
    const unreadable = [
      '203.0.113.9,',
      '',
      'unknown',
      '[203.0.113.9',
      '203.0.113.9:x',
      '127.0.0.1:',
      '1.2.3',
    ];
    const counted = new Set(unreadable.map((chain) => countedAddress(near.clientOf('127.0.0.1', chain))));
    expect(counted.size).to.equal(1);
    for (const address of counted) expect(isOfThisMachine(address)).to.equal(false);
    // Its own clients, and those that it passes on, come from here.
    expect(near.clientOf('127.0.0.1', undefined)).to.equal('127.0.0.1');
    expect(near.clientOf('127.0.0.1', '127.0.0.1')).to.equal('127.0.0.1');
  });

  it('is the proxy where that does not say, or says nonsense', () => {
    expect(behind.clientOf('10.0.0.1', undefined)).to.equal('10.0.0.1');
    expect(behind.clientOf('10.0.0.1', 'nonsense')).to.equal('10.0.0.1');
  });

  it('may come directly only when it is a proxy or on this machine', () => {
    const mayCome = (peers: string[], local: string) => peers.filter((peer) => behind.isTrusted(peer, local));
    const near = ['10.0.0.1', '127.0.0.1', '::1', '::ffff:127.0.0.1'];
    expect(mayCome(near, '192.0.2.2')).to.deep.equal(near);
    expect(mayCome(['203.0.113.9', '2001:db8::1', ''], '192.0.2.2')).to.deep.equal([]);
  });

  it('may come directly from the address it comes to, which is this machine’s own', () => {
    for (const own of ['192.0.2.2', '::ffff:192.0.2.2', '2001:db8::2'])
      expect(behind.isTrusted(own, own)).to.equal(true);
    expect(behind.isTrusted('192.0.2.3', '192.0.2.2')).to.equal(false);
    expect(behind.isTrusted('', '')).to.equal(false);
  });

  it('counts by its network where it is IPv6, so that a client cannot take another one each time', () => {
    expect(countedAddress('2001:db8:1:2:3:4:5:6')).to.equal('2001:db8:1:2::/64');
    expect(countedAddress('2001:db8::5')).to.equal(countedAddress('2001:db8:0:0:9::'));
    expect(countedAddress('::1')).to.equal('0:0:0:0::/64');
    expect(countedAddress('203.0.113.9')).to.equal('203.0.113.9');
  });
});
