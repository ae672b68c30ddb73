/** Macros of labels and tags (pf.conf(5), `label`): `$if`, `$srcaddr`, `$dstaddr`, `$srcport`, `$dstport`, `$proto`, `$nr`. */
import { addressBits } from './address.ts';
import type { PfEnvironment } from './environment.ts';
import type { ResolvedHost } from './host.ts';
import type { PfAddress, PfFamily, PfOperator } from './ruleset.ts';

/** What the macros stand for in one rule. */
export interface LabelValues {
  readonly interface?: string;
  readonly af?: PfFamily;
  readonly source: ResolvedHost;
  readonly sourcePort?: PfOperator;
  readonly destination: ResolvedHost;
  readonly destinationPort?: PfOperator;
  readonly protocol?: number;
  readonly number: number;
}

function addressText(address: PfAddress, af: PfFamily | undefined): string {
  switch (address.kind) {
    case 'dynamic':
      return `(${address.interface})`;
    case 'table':
      return `<${address.name}>`;
    case 'network': {
      if (!af) return 'any';
      return address.length < addressBits(af) ? `${address.address}/${address.length}` : address.address;
    }
    case 'range':
    case 'route-label':
      return '?';
    default:
      return address.kind;
  }
}

function hostText({ address, not }: ResolvedHost, af: PfFamily | undefined): string {
  return (not ? '! ' : '') + addressText(address, af);
}

function portText(port: PfOperator | undefined): string {
  if (!port) return '';
  const { op, a, b } = port;
  if (op === '=') return String(a);
  if (b !== undefined) return op === ':' ? '' : `${a}${op}${b}`;
  return `${op}${a}`;
}

/** The text with its macros replaced. */
export function expandLabel(text: string, values: LabelValues, environment: PfEnvironment): string {
  if (!text.includes('$')) return text;
  const { af } = values;
  const protocol = values.protocol ?? 0;
  return text
    .replaceAll('$if', () => values.interface ?? 'any')
    .replaceAll('$srcaddr', () => hostText(values.source, af))
    .replaceAll('$dstaddr', () => hostText(values.destination, af))
    .replaceAll('$srcport', () => portText(values.sourcePort))
    .replaceAll('$dstport', () => portText(values.destinationPort))
    .replaceAll(
      '$proto',
      () => environment.protocolName(protocol) ?? (protocol === 0 ? 'ip' : String(protocol)),
    )
    .replaceAll('$nr', () => String(values.number));
}
