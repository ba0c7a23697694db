import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { Sampling, type SamplingConfig } from '../../../../src/platform/telemetry/sampling.ts';

describe('sampling', () => {
  const traceIds = Array.from({ length: 2_000 }, () => randomBytes(16).toString('hex'));
  const sampledOf = (config: SamplingConfig, parentSampled?: boolean) => {
    const sampling = new Sampling(config);
    return traceIds.filter((traceId) => sampling.samples(traceId, parentSampled, 0));
  };

  it('by parent takes what was decided where the trace began, whatever its own share is', () => {
    for (const sampler of ['parentbased_always_on', 'parentbased_always_off', undefined] as const) {
      expect(sampledOf({ sampler, ratio: 1 }, true)).to.have.length(2_000);
      expect(sampledOf({ sampler, ratio: 1 }, false)).to.have.length(0);
    }
  });

  it('without a parent, or not by it, decides itself', () => {
    expect(sampledOf({ sampler: 'parentbased_always_on', ratio: 0 })).to.have.length(2_000);
    expect(sampledOf({ sampler: 'parentbased_always_off', ratio: 1 })).to.have.length(0);
    expect(sampledOf({ sampler: 'always_on', ratio: 0 }, false)).to.have.length(2_000);
    expect(sampledOf({ sampler: 'always_off', ratio: 1 }, true)).to.have.length(0);
    expect(sampledOf({ sampler: 'traceidratio', ratio: 0 }, true)).to.have.length(0);
  });

  it('takes a share of the traces, the same ones wherever it is asked', () => {
    const tenth = sampledOf({ sampler: 'parentbased_traceidratio', ratio: 0.1 });
    expect(tenth.length).to.be.within(100, 320);
    expect(sampledOf({ sampler: 'traceidratio', ratio: 0.1 }, true)).to.deep.equal(tenth);
    expect(sampledOf({ sampler: 'traceidratio', ratio: 1 })).to.have.length(2_000);
  });

  it('not configured takes the first hundred traces of each second', () => {
    const sampling = new Sampling({ sampler: undefined, ratio: 1 });
    const taken = (now: number) => traceIds.filter((id) => sampling.samples(id, undefined, now)).length;
    expect(taken(5_000)).to.equal(100);
    expect(taken(5_999)).to.equal(0);
    expect(taken(6_000)).to.equal(100);
  });

  it('not configured takes a thousand traces of clients a second, which cost the others none', () => {
    const sampling = new Sampling({ sampler: undefined, ratio: 1 });
    const ofClients = (sampled: boolean, now: number) =>
      traceIds.filter((id) => sampling.samplesOfClient(id, sampled, now)).length;
    expect(ofClients(false, 5_000)).to.equal(0);
    expect(ofClients(true, 5_500)).to.equal(1_000);
    expect(ofClients(true, 6_400)).to.equal(0);
    expect(traceIds.filter((id) => sampling.samples(id, undefined, 6_400))).to.have.length(100);
    expect(ofClients(true, 6_600)).to.equal(1_000);
  });

  it('configured takes of clients whatever the sampler says', () => {
    const sampling = new Sampling({ sampler: 'parentbased_always_off', ratio: 0 });
    expect(traceIds.filter((id) => sampling.samplesOfClient(id, true, 0))).to.have.length(2_000);
    const off = new Sampling({ sampler: 'always_off', ratio: 0 });
    expect(traceIds.filter((id) => off.samplesOfClient(id, true, 0))).to.have.length(0);
  });
});
