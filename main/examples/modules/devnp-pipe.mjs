// devnp-pipe: a driver whose cards form a cable in pairs, on whichever nodes they are: those with the same number belong together.
//   stackscope run LAB --modules FOLDER --exec 'alpha: mount -T io-pkt -o cable=7 devnp-pipe.so'

/** @type {import('../../../stack/net/module.ts').DriverModule<{ cable: 'u32', lost: 'f64' }>} */
export default {
  kind: 'driver',
  name: 'pipe',
  description: 'cable between two cards with the same number',
  options: { cable: { type: 'number', meaning: 'number of the cable', min: 0, default: 0 } },
  state: { cable: 'u32', lost: 'f64' },
  queues: { arrived: 512 },
  attach(side, options) {
    const card = side.attachCard({ base: 'pipe' });
    card.state.cable = options.number('cable') ?? 0;
    side.log(`${card.name} is an end of cable ${card.state.cable}`);
  },
  // The stack has packets: they go to the other card, whose process() is called then.
  start(card) {
    const other = card.find((one) => one !== card && one.up && one.state.cable === card.state.cable);
    for (let m = card.take(); m !== 0; m = card.take()) {
      if (other?.queues.arrived.push(m)) continue;
      card.state.lost++;
      card.free(m);
    }
    other?.raise();
  },
  // The interrupt: up to 64 packets go to the stack before others get their turn.
  process(card) {
    for (let n = 0; n < 64; n++) {
      const m = card.queues.arrived.shift();
      if (m === 0) return true;
      card.receive(m);
    }
    return false;
  },
  enable: (card) => card.queues.arrived.length > 0,
  statistics: (card) => ({ lost: card.state.lost }),
};
