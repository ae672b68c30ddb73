/** Rule sets read in tests: a machine with two cards, a loopback and a tunnel, and what its rules say in normal form. */
import type { PfEnvironment } from '../../../../stack/filter/pf/environment.ts';
import type { PfError } from '../../../../stack/filter/pf/errors.ts';
import { printRuleSet } from '../../../../stack/filter/pf/listing.ts';
import { DEFAULT_NAMES, namesOf } from '../../../../stack/filter/pf/name-tables.ts';
import { parsePfConf } from '../../../../stack/filter/pf/parse.ts';
import type { PfParsed, PfParseOptions } from '../../../../stack/filter/pf/parse.ts';

export const machine: PfEnvironment = {
  interfaces: [
    {
      name: 'lo0',
      loopback: true,
      addresses: [
        { af: 'inet', address: '127.0.0.1', length: 8 },
        { af: 'inet6', address: '::1', length: 128 },
      ],
    },
    {
      name: 'en0',
      groups: ['lan'],
      bandwidth: 100e6,
      addresses: [
        { af: 'inet', address: '10.1.0.1', length: 24, broadcast: '10.1.0.255' },
        { af: 'inet', address: '10.1.9.1', length: 24, broadcast: '10.1.9.255' },
        { af: 'inet6', address: 'fe80::1', length: 64 },
        { af: 'inet6', address: '2001:db8::1', length: 64 },
      ],
    },
    {
      name: 'en1',
      groups: ['lan'],
      addresses: [{ af: 'inet', address: '192.0.2.1', length: 24, broadcast: '192.0.2.255' }],
    },
    { name: 'tun0', addresses: [{ af: 'inet', address: '172.20.0.1', length: 32, peer: '172.20.0.2' }] },
  ],
  ...namesOf(DEFAULT_NAMES),
  hostAddresses: (name) =>
    name === 'www.example.net'
      ? [
          { af: 'inet', address: '198.51.100.7' },
          { af: 'inet6', address: '2001:db8:1::7' },
        ]
      : [],
};

const FILES: Readonly<Record<string, string>> = {
  '/etc/spammers': '# who sends too much\n203.0.113.0/24\n!203.0.113.7 2001:db8:bad::/48\n',
  '/etc/broken': '10.0.0.1\nno.such.host\n',
};

const readFile = (path: string): string | undefined => FILES[path];

type Options = Partial<PfParseOptions>;

/** A rule set that must be right. */
export function read(text: string, options: Options = {}): PfParsed {
  const result = parsePfConf(`${text}\n`, machine, { generation: '3.7', readFile, ...options });
  if ('errors' in result)
    throw new Error(result.errors.map(({ line, message }) => `${line}: ${message}`).join('; '));
  return result;
}

/** Lines of a rule set in normal form. */
export function listed(text: string, options: Options = {}): string[] {
  const { ruleSet, listing } = read(text, options);
  return printRuleSet(ruleSet, listing, machine);
}

/** Errors of a rule set that must be wrong. */
export function errorsOf(text: string, options: Options = {}): readonly PfError[] {
  const result = parsePfConf(`${text}\n`, machine, { generation: '3.7', readFile, ...options });
  if (!('errors' in result)) throw new Error(`accepted: ${text}`);
  return result.errors;
}

/** Messages of the errors. */
export function messagesOf(text: string, options: Options = {}): string[] {
  return errorsOf(text, options).map(({ message }) => message);
}
