// What a user is told about a TAP that cannot be had.
import { describe, expect, it } from 'vitest';
import {
  TapError,
  cannotAttach,
  cannotConfigure,
  cannotOpenTun,
  checkWish,
  grantCommands,
  parseAddress,
} from '../../../drivers/devnp-tap/tap-error.ts';

describe.skipIf(process.platform !== 'linux')('a wish', () => {
  it('may have the longest name, the smallest and the largest mtu', () => {
    expect(() => checkWish({ name: 'abcdefghijklmno', address: '10.0.9.254/24', mtu: 68 })).not.toThrow();
    expect(() => checkWish({ name: 'sscope0', mtu: 9000 })).not.toThrow();
  });

  it.each([
    ['abcdefghijklmnop', "TAP abcdefghijklmnop: the name has 16 bytes, an interface's may have 15 at most"],
    ['äöüäöüäö', "TAP äöüäöüäö: the name has 16 bytes, an interface's may have 15 at most"],
    ['', 'TAP "": an interface\'s name is one word'],
    ['..', 'TAP "..": an interface\'s name is one word'],
    ['a/b', 'TAP "a/b": an interface\'s name is one word'],
    ['tap%d', 'TAP "tap%d": an interface\'s name is one word'],
    ['a b', 'TAP "a b": an interface\'s name is one word'],
  ])('is refused for the name "%s"', (name, message) => {
    expect(() => checkWish({ name })).toThrow(message);
    expect(() => checkWish({ name })).toThrow(TapError);
  });

  it.each([
    '10.0.9.254',
    '10.0.9/24',
    '10.0.9.254/33',
    '10.0.9.254/',
    '10.0.9.254/24/1',
    'fd00::1/64',
    '10.0.9.256/24',
  ])('is refused for the address %s', (address) => {
    expect(() => checkWish({ name: 'sscope0', address })).toThrow(
      `TAP sscope0: "${address}" is no IPv4 address with a length, for example 10.0.9.254/24`,
    );
  });

  it.each([67, 9001, 1500.5, Number.NaN])('is refused for the mtu %s', (mtu) => {
    expect(() => checkWish({ name: 'sscope0', mtu })).toThrow(
      `TAP sscope0: an mtu of ${mtu} is outside 68 to 9000`,
    );
  });
});

it.each([
  ['10.0.9.254/24', [10, 0, 9, 254], [255, 255, 255, 0]],
  ['10.0.9.254/20', [10, 0, 9, 254], [255, 255, 240, 0]],
  ['192.168.1.1/32', [192, 168, 1, 1], [255, 255, 255, 255]],
  ['1.2.3.4/0', [1, 2, 3, 4], [0, 0, 0, 0]],
  ['1.2.3.4/9', [1, 2, 3, 4], [255, 128, 0, 0]],
])('reads %s', (text, address, netmask) => {
  const parsed = parseAddress(text)!;
  expect([...parsed.address]).toEqual(address);
  expect([...parsed.netmask]).toEqual(netmask);
});

it('names the commands that make a TAP for a user', () => {
  expect(grantCommands({ name: 'sscope0' })).toBe(
    'sudo ip tuntap add dev sscope0 mode tap user $USER && sudo ip link set sscope0 up',
  );
  expect(grantCommands({ name: 'sscope0', address: '10.0.9.254/24', mtu: 9000 })).toBe(
    'sudo ip tuntap add dev sscope0 mode tap user $USER && sudo ip addr add 10.0.9.254/24 dev sscope0 && ' +
      'sudo ip link set sscope0 mtu 9000 up',
  );
});

it.each([
  [cannotOpenTun('t0', 'ENOENT'), 'TAP t0: the host has no /dev/net/tun. Load the driver: sudo modprobe tun'],
  [
    cannotOpenTun('t0', 'EACCES'),
    'TAP t0: this user may not open /dev/net/tun. Allow it: sudo chmod 0666 /dev/net/tun',
  ],
  [cannotOpenTun('t0', 'EMFILE'), 'TAP t0: /dev/net/tun cannot be opened (EMFILE)'],
  [cannotAttach({ name: 't0' }, 'EPERM', false), 'TAP t0: making an interface takes CAP_NET_ADMIN.'],
  [cannotAttach({ name: 't0' }, 'EPERM', true), 'TAP t0: it belongs to another user.'],
  [cannotAttach({ name: 't0' }, 'EBUSY', true), 'TAP t0: another program has it open.'],
  [cannotAttach({ name: 't0' }, 'EINVAL', true), 'TAP t0: there is an interface of that name that is no TAP'],
  [cannotAttach({ name: 't0' }, 'EIO', false), 'TAP t0: the kernel gives no TAP of that name (EIO)'],
  [
    cannotConfigure('t0', 'switching it on', 'EPERM', 'sudo ip link set t0 up'),
    'TAP t0: switching it on takes CAP_NET_ADMIN. Do it once: sudo ip link set t0 up',
  ],
  [cannotConfigure('t0', 'switching it on', 'EIO', 'sudo true'), 'TAP t0: switching it on failed (EIO)'],
])('explains %s', (error, message) => {
  expect(error.message.startsWith(message)).toBe(true);
});
