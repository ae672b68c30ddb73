/** Addresses and networks of a lab, as they can be written in a filter expression. */
import type { LabDescription } from '../../main/api/model.ts';

export interface LabNames {
  readonly addresses: readonly string[];
  /** `10.0.0.0/24` */
  readonly networks: readonly string[];
  readonly macs: readonly string[];
}

export function labNames(lab: Pick<LabDescription, 'nodes'> | undefined): LabNames {
  const interfaces = lab?.nodes.flatMap((node) => node.interfaces) ?? [];
  const written = interfaces.flatMap(({ addresses }) => addresses);
  return {
    addresses: distinct(written.map((address) => address.replace(/[/%].*$/, ''))),
    networks: distinct(written.flatMap((address) => networkOf(address) ?? [])),
    macs: distinct(interfaces.flatMap(({ mac }) => (mac === '' ? [] : [mac]))),
  };
}

const distinct = (texts: readonly string[]): readonly string[] => [...new Set(texts)];

/** The network of an IPv4 address with a prefix length; undefined for anything else. */
function networkOf(text: string): string | undefined {
  const [, address, prefix] = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(text) ?? [];
  if (address === undefined) return undefined;
  const length = Number(prefix);
  const network = address.split('.').map((byte, index) => {
    const bits = Math.min(8, Math.max(0, length - 8 * index));
    return Number(byte) & (0xff << (8 - bits)) & 0xff;
  });
  return `${network.join('.')}/${length}`;
}
