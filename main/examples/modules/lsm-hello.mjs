// lsm-hello: a protocol that greets all neighbours once a second and tells in /dev/hello who greeted last; what is written there is the greeting.
//   stackscope run LAB --modules FOLDER --exec 'alpha: mount -T io-pkt lsm-hello.so' --exec 'alpha: cat /dev/hello'

/** EtherType for experiments (IEEE 802, clause 9). */
const HELLO = 0x88b5;

/** @type {import('../../../stack/net/module.ts').ProtocolModule<{ greeting: { bytes: 40 }, length: 'u8', last: { bytes: 40 }, lastLength: 'u8', heard: 'u32' }>} */
export default {
  kind: 'protocol',
  name: 'hello',
  description: 'greets neighbours',
  path: '/dev/hello',
  options: { text: { type: 'text', meaning: 'what it says', default: 'hello' } },
  state: { greeting: { bytes: 40 }, length: 'u8', last: { bytes: 40 }, lastLength: 'u8', heard: 'u32' },
  attach(self, options) {
    this.write?.(self, options.text('text') ?? '');
    self.claimEtherType(HELLO);
    self.setTimer('greet', 1e9);
  },
  timers: {
    greet(self) {
      const { greeting, length } = self.state;
      for (const ifp of self.interfaces()) {
        const m = self.packet(length);
        if (m === 0) continue;
        self.bytes.copyWithin(self.data(m), greeting, greeting + length);
        self.send(ifp, m, 0, HELLO);
      }
      self.setTimer('greet', 1e9);
    },
  },
  // Frames are padded: the text ends at the first zero.
  input(self, m) {
    const text = self.read(m, 0, 40);
    self.state.lastLength = (text.indexOf(0) + 40) % 40;
    self.bytes.set(text, self.state.last);
    self.state.heard++;
    self.free(m);
  },
  read: ({ state, bytes }) =>
    `heard ${state.heard}, last ${new TextDecoder().decode(bytes.slice(state.last, state.last + state.lastLength))}\n`,
  write(self, text) {
    const bytes = new TextEncoder().encode(text.trimEnd());
    if (bytes.length > 39) throw new Error(`a greeting has at most 39 bytes, not ${bytes.length}`);
    self.bytes.set(bytes, self.state.greeting);
    self.state.length = bytes.length;
  },
};
