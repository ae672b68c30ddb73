/**
 * Options of modules: one word `name=value,flag,...`, read by what the module declares. What cannot be read or is not known is reported and left out, never fatal
 * (io-pkt, "-d", "-p").
 */
import type { ModuleOptions, OptionSpec, OptionSpecs } from './module.ts';

type Value = string | number | boolean | Uint8Array;
type Read = { readonly value: Value } | { readonly wanted: string };

/** Splits `name=value,flag,...`. */
export function parseOptions(text: string): Map<string, string> {
  const options = new Map<string, string>();
  for (const part of text.split(',').filter((piece) => piece !== '')) {
    const at = part.indexOf('=');
    if (at < 0) options.set(part, '');
    else options.set(part.slice(0, at), part.slice(at + 1));
  }
  return options;
}

function readNumber(text: string, { min = 0, max = 0xffff_ffff }: OptionSpec): Read {
  const value = Number(text);
  if (/^(\d+|0x[0-9a-f]+)$/i.test(text) && value >= min && value <= max) return { value };
  return { wanted: `a whole number from ${min} to ${max}` };
}

const FLAG_VALUES: Readonly<Record<string, boolean>> = {
  '': true,
  '1': true,
  on: true,
  '0': false,
  off: false,
};

function readAddress(text: string): Read {
  const octets = /^\d{1,3}(\.\d{1,3}){3}$/.test(text) ? text.split('.').map(Number) : [];
  if (octets.length !== 4 || octets.some((octet) => octet > 255)) return { wanted: 'an IPv4 address' };
  return { value: octets.reduce((address, octet) => address * 256 + octet, 0) };
}

function readMac(text: string): Read {
  const digits = text.replaceAll(':', '');
  if (!/^[0-9a-fA-F]{12}$/.test(digits)) return { wanted: 'a hardware address' };
  return { value: Uint8Array.from(digits.match(/../g)!, (pair) => Number.parseInt(pair, 16)) };
}

function readValue(text: string, spec: OptionSpec): Read {
  switch (spec.type) {
    case 'text':
      return text === '' ? { wanted: 'a value' } : { value: text };
    case 'number':
      return readNumber(text, spec);
    case 'flag':
      return Object.hasOwn(FLAG_VALUES, text)
        ? { value: FLAG_VALUES[text]! }
        : { wanted: 'no value, 0 or 1' };
    case 'address':
      return readAddress(text);
    case 'mac':
      return readMac(text);
  }
}

function defaultOf(spec: OptionSpec): Value | undefined {
  if (spec.default === undefined || typeof spec.default === 'boolean') return spec.default;
  const read = readValue(String(spec.default), spec);
  return 'value' in read ? read.value : undefined;
}

function optionsOf(values: ReadonlyMap<string, Value>): ModuleOptions {
  const typed = <T>(name: string, is: (value: unknown) => value is T): T | undefined => {
    const value = values.get(name);
    return is(value) ? value : undefined;
  };
  const number = (name: string): number | undefined => typed(name, (value) => typeof value === 'number');
  return {
    text: (name) => typed(name, (value) => typeof value === 'string'),
    number,
    flag: (name) => values.get(name) === true,
    address: number,
    mac: (name) => typed(name, (value) => value instanceof Uint8Array),
  };
}

/** Reads what was given by what a module declares; `complaints` say what was left out, and why. */
export function readOptions(
  specs: OptionSpecs,
  given: ReadonlyMap<string, string>,
): { options: ModuleOptions; complaints: string[] } {
  const complaints: string[] = [];
  const values = new Map<string, Value>();
  for (const [name, spec] of Object.entries(specs)) {
    const value = defaultOf(spec);
    if (value !== undefined) values.set(name, value);
  }
  const unknown: string[] = [];
  for (const [name, text] of given) {
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (spec === undefined) {
      unknown.push(name);
      continue;
    }
    const read = readValue(text, spec);
    if ('value' in read) values.set(name, read.value);
    else complaints.push(`${name}=${text} ignored: ${read.wanted} is expected`);
  }
  if (unknown.length > 0) complaints.push(`options not known and ignored: ${unknown.join(', ')}`);
  return { options: optionsOf(values), complaints };
}

/** What `use` prints of a module's options: a line each. */
export function optionLines(specs: OptionSpecs): string[] {
  return Object.entries(specs).map(([name, { type, meaning, default: value }]) => {
    const form = type === 'flag' ? name : `${name}=${type}`;
    const otherwise = value === undefined || type === 'flag' ? '' : ` (default ${String(value)})`;
    return `  ${form.padEnd(18)} ${meaning}${otherwise}`;
  });
}
