// Filter expressions in the window: the program in parts and in words, completion, and the names that a lab has.
import { CompletionContext } from '@codemirror/autocomplete';
import { EditorState } from '@codemirror/state';
import { describe, expect, it } from 'vitest';
import { compileExpression, explainPacket } from '../../../main/lab/host/expressions.ts';
import { LINKTYPE_ETHERNET } from '../../../main/capture/link-type.ts';
import { completeBpf, type BpfNames } from '../../../renderer/expressions/bpf-language.ts';
import { parser } from '../../../renderer/expressions/bpf.grammar';
import { labNames } from '../../../renderer/expressions/lab-names.ts';
import { programLine, registersAfter, stepText, verdictText } from '../../../renderer/expressions/program.ts';
import { sampleLab } from '../api/sample-host.ts';

/** TCP from 10.0.0.1 port 0x1234 to port 80, with no more than its ports captured of its header. */
const packet = Buffer.from(
  '020000000002 020000000001 0800 45000028 00010000 40060000 0a000001 0a000002 1234 0050'.replaceAll(' ', ''),
  'hex',
);
const explained = (expression: string) =>
  explainPacket(
    expression,
    {
      time: 0n,
      point: '',
      linkType: LINKTYPE_ETHERNET,
      length: packet.length,
      bytes: packet,
      journey: 0,
    },
    true,
  );

describe('a program', () => {
  it('is read from its listing: operation, operand, and both ways of a comparison', () => {
    const compiled = compileExpression('tcp port 80', LINKTYPE_ETHERNET, true);
    const lines = compiled.ok ? compiled.listing.map(programLine) : [];
    expect(lines[0]).toEqual({ pc: 0, mnemonic: 'ldh', operand: '[12]', jt: undefined, jf: undefined });
    expect(lines.find(({ operand }) => operand === '4*([14]&0xf)')?.mnemonic).toBe('ldxb');
    expect(lines.find(({ operand }) => operand === '#0x800')).toMatchObject({ mnemonic: 'jeq', pc: 8 });
    const last = lines.length - 1;
    expect(lines.at(-1)).toMatchObject({ pc: last, mnemonic: 'ret', operand: '#0' });
    const targets = lines.flatMap(({ jt, jf }) => [jt ?? 0, jf ?? 0]);
    expect(Math.max(...targets)).toBe(last);
  });

  it('has jumps that always go one way', () => {
    expect(programLine('(007) ja       12')).toMatchObject({ mnemonic: 'ja', jt: 12, jf: undefined });
    expect(programLine('(003) tax      ')).toMatchObject({ mnemonic: 'tax', operand: '' });
  });

  it('tells of each step what it read, where it went, and how it ended', () => {
    const { steps, result, listing } = explained('tcp dst port 80');
    const texts = steps.map((step, i) => stepText(step, i === steps.length - 1 ? result : undefined));
    expect(texts[0]).toBe('Bytes 12 to 13: 0x800');
    expect(texts[1]).toMatch(/^(True|False): on to \d+$/);
    expect(texts).toContain('Byte 23: 0x6');
    expect(texts).toContain('Bytes 36 to 37: 0x50');
    expect(texts.at(-1)).toBe(verdictText(262144));
    expect(programLine(listing[steps.at(-1)!.pc]!).mnemonic).toBe('ret');
  });

  it('says that bytes it needs were not captured', () => {
    const { steps, result } = explained('tcp[8] = 0');
    expect(result).toBe(0);
    expect(stepText(steps.at(-1)!, result)).toBe('Byte 42: not captured, so the packet is rejected');
  });

  it('shows the registers after a step, and which of them it changed', () => {
    const { steps } = explained('tcp dst port 80');
    expect(registersAfter(steps, 0)).toEqual([
      { name: 'A', value: 0x800, changed: true },
      { name: 'X', value: 0, changed: false },
    ]);
    expect(registersAfter(steps, 1).some(({ changed }) => changed)).toBe(false);
    const header = steps.findIndex(({ x }) => x === 20);
    expect(registersAfter(steps, header)[1]).toEqual({ name: 'X', value: 20, changed: true });
    expect(registersAfter(steps, steps.length)).toEqual([]);
  });
});

describe('completion', () => {
  const names: BpfNames = {
    linkType: 'EN10MB',
    addresses: ['10.0.0.1'],
    networks: ['10.0.0.0/24'],
    macs: ['02:00:00:00:00:01'],
    services: ['http'],
  };
  const offered = (text: string, known = names): readonly string[] => {
    const context = new CompletionContext(EditorState.create({ doc: text }), text.length, true);
    return completeBpf(() => known)(context)?.options.map(({ label }) => label) ?? [];
  };

  it.each([
    ['', ['tcp', 'host', 'not', 'vlan'], ['and', 'http']],
    ['tcp and (', ['udp', 'port'], ['or']],
    ['tcp ', ['and', 'port', 'src'], ['host', 'udp']],
    ['host ', ['10.0.0.1'], ['10.0.0.0/24']],
    ['src net ', ['10.0.0.0/24'], ['10.0.0.1']],
    ['tcp dst port ', ['http'], ['tcp']],
    ['ether src ', ['02:00:00:00:00:01'], ['10.0.0.1']],
    ['ether proto ', ['\\ip6'], ['\\tcp']],
    ['ip proto ', ['\\tcp'], ['\\ip6']],
    ['tcp[tcpf', ['tcpflags'], ['tcp-syn']],
    ['tcp[tcpflags] & ', ['tcp-syn'], ['tcpflags']],
    ['host 10.0.0.1 ', ['and', 'or'], ['host']],
  ])('after %j', (text, some, none) => {
    const labels = offered(text);
    for (const label of some) expect(labels).toContain(label);
    for (const label of none) expect(labels).not.toContain(label);
  });

  it('offers what only packets of pflog have, for them', () => {
    expect(offered('')).not.toContain('rnr');
    expect(offered('', { ...names, linkType: 'PFLOG' })).toContain('rnr');
    expect(offered('action ', { ...names, linkType: 'PFLOG' })).toEqual(
      expect.arrayContaining(['pass', 'block']),
    );
  });

  it('replaces the word at the cursor, and waits to be asked where none is begun', () => {
    const at = (text: string, explicit: boolean) =>
      completeBpf(() => names)(
        new CompletionContext(EditorState.create({ doc: text }), text.length, explicit),
      );
    expect(at('tcp and ho', false)?.from).toBe(8);
    expect(at('tcp and ', false)).toBeNull();
    expect(at('tcp and ', true)?.from).toBe(8);
  });
});

describe('the grammar of the editor', () => {
  /** Its nodes in the order of the text, without the root. */
  function nodesOf(text: string): string {
    const nodes: string[] = [];
    parser.parse(text).iterate({ enter: ({ name }) => void nodes.push(name) });
    return nodes.slice(1).join(' ');
  }

  it.each([
    ['tcp port 80', 'Protocol Type Number'],
    ['not (arp or icmp6)', 'Logic Group ( Protocol Logic Protocol )'],
    ['src 10.0.0.1 && dst fe80::1', 'Direction Address Logic Direction Address'],
    [
      'tcp[tcpflags] & (tcp-syn|tcp-ack) != 0',
      'Protocol Index [ Named ] Operator Group ( Named Operator Named ) NotEqual Number',
    ],
    ['ip proto \\tcp', 'Protocol Type Escaped'],
    ['ether host 02:00:00:00:00:01', 'Protocol Type Address'],
    ['net 10.0.0.0/8', 'Type Address Operator Number'],
    ['host beta.example', 'Type Identifier'],
  ])('reads %j', (text, nodes) => {
    expect(nodesOf(text)).toBe(nodes);
  });

  it('has a tree for whatever is typed, without an exception', () => {
    for (const text of ['', ')', 'tcp[', '((', '"é \\', 'a'.repeat(4096), '['.repeat(2000)])
      expect(parser.parse(text).length).toBe(text.length);
  });
});

it('the names of a lab are its addresses, networks and cards', () => {
  const lab = sampleLab();
  expect(labNames(lab)).toEqual({
    addresses: ['10.0.0.1', '10.0.0.2'],
    networks: ['10.0.0.0/24'],
    macs: ['02:00:00:00:00:01'],
  });
  const [alpha] = lab.nodes;
  const other = { ...alpha!.interfaces[0]!, mac: '', addresses: ['192.168.77.9/20', 'fe80::1%en0/64'] };
  expect(labNames({ nodes: [{ ...alpha!, interfaces: [other] }] })).toEqual({
    addresses: ['192.168.77.9', 'fe80::1'],
    networks: ['192.168.64.0/20'],
    macs: [],
  });
  expect(labNames(undefined)).toEqual({ addresses: [], networks: [], macs: [] });
});
