// Cards may have the names of pseudo-interfaces: they are cards nevertheless.
import { expect, test } from 'vitest';
import { labFrom, run, stopLab } from '../../support/lab.ts';

test.each(['tap', 'tun', 'vlan', 'bridge', 'agr', 'gif', 'sl'])(
  'a card that is called %s0 is shown, set up and destroyed as a card',
  async (name) => {
    const lab = await labFrom(
      `name: names\nnodes:\n  a: { stack: 'io-pkt-v4-hc -d vnic name=${name}', interfaces: [] }\n`,
    );
    try {
      const shown = await run(lab, 'a', `ifconfig ${name}0 10.0.0.1/24; ifconfig ${name}0`);
      expect(shown).toMatchObject({ status: 0, err: '' });
      expect(shown.out).toContain('media: Ethernet');
      expect(shown.out).not.toMatch(/device:|parent:|tunnel|agrport|line:/);
      expect((await run(lab, 'a', `ifconfig ${name}0 vlan 7 vlanif ${name}0`)).err).toContain(
        'does not know',
      );
      expect(await run(lab, 'a', `ifconfig ${name}0 destroy`)).toMatchObject({ status: 0, err: '' });
    } finally {
      await stopLab(lab);
    }
  },
);
