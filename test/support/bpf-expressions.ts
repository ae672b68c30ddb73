/** Filter expressions made at random over the whole grammar of pcap-filter(7), sensible ones and near misses. Everything follows from a seed. */
import type { Random } from './bpf-packets.ts';

const WLAN_SUBTYPES =
  'assoc-req assocresp reassocreq reassoc-resp probe-req proberesp beacon atim disassoc disassociation auth deauth deauthentication ps-poll rts cts ACK cf-end cf-end-ack data data-cf-ack data-cf-ack-poll null cf-ack cf-poll qos-data qos-data-cf-poll qos QoS-CF-Poll 0x40 0xd0 0x01'.split(
    ' ',
  );
const PFLOG_REASONS =
  'match bad-offset fragment short normalize memory bad-timestamp congestion ip-option proto-cksum state-mismatch state-insert state-limit src-limit synproxy MATCH 15'.split(
    ' ',
  );
const PFLOG_ACTIONS =
  'pass accept block drop scrub noscrub nat nonat binat nobinat rdr nordr synproxy-drop Pass 1'.split(' ');

/** Writes expressions for one link type. */
export class ExpressionWriter {
  readonly #random: Random;
  readonly #linkType: number;

  constructor(linkType: number, random: Random) {
    this.#linkType = linkType;
    this.#random = random;
  }

  /** One expression of up to a few primitives. */
  expression(): string {
    return this.#joined(2);
  }

  #pick(choices: readonly string[]): string {
    return choices[this.#random(choices.length)] ?? '';
  }

  #chance(percent: number): boolean {
    return this.#random(100) < percent;
  }

  #joined(depth: number): string {
    let text = this.#term(depth);
    const more = this.#pick(['0', '0', '0', '1', '1', '2', '3']);
    for (let index = 0; index < Number(more); index++) {
      const operator = this.#pick([' and ', ' and ', ' or ', ' or ', ' && ', ' || ']);
      text +=
        operator + (this.#chance(4) ? this.#pick(['80', 'not 10.0.0.1', '(25 or 80)']) : this.#term(depth));
    }
    return text;
  }

  #term(depth: number): string {
    if (depth > 0 && this.#chance(15)) return `${this.#pick(['not ', '! ', '!'])}${this.#term(depth - 1)}`;
    if (depth > 0 && this.#chance(15)) return `(${this.#joined(depth - 1)})`;
    return this.#primitive();
  }

  #primitive(): string {
    const kind = this.#random(100);
    if (kind < 14) return this.#protocol();
    if (kind < 30) return this.#host();
    if (kind < 42) return this.#port();
    if (kind < 52) return this.#proto();
    if (kind < 72) return this.#relation();
    if (kind < 82) return this.#special();
    if (kind < 94) return this.#linkTypeWord();
    return this.#pick([
      'less (64)',
      'less 64',
      'greater 100',
      'len < 90',
      'byte 12 = 8',
      'byte 20 & 1',
      'byte 9 > 6',
      'byte 3 | 0',
      'inbound',
      'outbound',
    ]);
  }

  #protocol(): string {
    return this.#pick(
      'ip ip ip6 ip6 arp rarp tcp tcp udp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp atalk aarp decnet lat sca moprc mopdl iso clnp esis isis l1 l2 iih lsp snp csnp psnp stp ipx netbeui'.split(
        ' ',
      ),
    );
  }

  #direction(): string {
    return this.#pick(['', '', '', 'src ', 'dst ', 'src or dst ', 'src and dst ', 'dst or src ']);
  }

  #ipv4(): string {
    return this.#pick([
      '10.0.0.1',
      '10.0.0.2',
      '192.168.1.1',
      '127.0.0.1',
      '224.0.0.1',
      '255.255.255.255',
      '0.0.0.0',
      '0x0a000001',
      '167772161',
      '01200000001',
      '10.0',
    ]);
  }

  #ipv6(): string {
    return this.#pick([
      '::1',
      'fe80::1',
      '2001:db8::1',
      'ff02::1',
      '::',
      '2001:db8:1:2:3:4:5:6',
      '::ffff:10.0.0.1',
    ]);
  }

  #network(): string {
    return this.#pick([
      'net 10.0.0.0/8',
      'net 10',
      'net 10.0',
      'net 192.168.1',
      'net 10.0.0.0 mask 255.255.255.0',
      'net 0.0.0.0/0',
      'net 10.0.0.1/32',
      'net 10.0.0.1/8',
      'net 10/8',
      'net 192.168/16',
      'net 10.0.0/ 24',
      'net 192.168 mask 255.255',
      'net 10 mask 255',
      'net 0xa000001',
      'net 167772161',
      'net 10.0.0.0 mask 255.0.255.0',
    ]);
  }

  #network6(): string {
    return this.#pick([
      'net fe80::/10',
      'net 2001:db8::/32',
      'net ::/0',
      'net 2001:db8::1',
      'net ff00::/8',
      'net 2001:db8::/48',
      'net fe80::1/64',
    ]);
  }

  #list(items: () => string): string {
    if (this.#chance(80)) return items();
    if (this.#chance(20)) return `not ${items()}`;
    return `(${items()} ${this.#pick(['or', 'and'])} ${items()})`;
  }

  #host(): string {
    const kind = this.#random(10);
    const four = (): string => this.#ipv4();
    const six = (): string => this.#ipv6();
    if (kind < 4)
      return `${this.#pick(['', '', 'ip ', 'ip ', 'arp ', 'rarp ', 'ip6 ', 'tcp '])}${this.#hostHead()}${this.#list(four)}`;
    if (kind < 6)
      return `${this.#pick(['', '', 'ip6 ', 'ip6 ', 'ip '])}${this.#hostHead()}${this.#list(six)}`;
    if (kind < 8) return `${this.#pick(['', 'ip ', 'arp ', 'rarp '])}${this.#direction()}${this.#network()}`;
    if (kind < 9) return `${this.#pick(['', 'ip6 '])}${this.#direction()}${this.#network6()}`;
    return `decnet ${this.#hostHead()}${this.#pick(['1.2', '63.1023', '50.764', '64.1', '1026', '0.1'])}`;
  }

  #hostHead(): string {
    return this.#pick([
      'host ',
      'src ',
      'dst ',
      'src host ',
      'dst host ',
      'src or dst host ',
      'src and dst host ',
    ]);
  }

  #port(): string {
    const port = (): string =>
      this.#pick([
        '80',
        '443',
        '53',
        '22',
        '25',
        '0x1f90',
        '070',
        'domain',
        'smtp',
        'http',
        'https',
        '4789',
        '70000',
      ]);
    const transport = this.#pick(['', '', '', 'tcp ', 'tcp ', 'udp ', 'sctp ', 'ip ', 'icmp ']);
    if (this.#chance(60)) return `${transport}${this.#direction()}port ${this.#list(port)}`;
    return `${transport}${this.#direction()}portrange ${this.#pick(['20-25', '80-80', '443-80', '0-1023', 'smtp-domain', '25', '53-80', '1024-65535'])}`;
  }

  #proto(): string {
    const number = this.#pick([
      '6',
      '17',
      '1',
      '58',
      '44',
      '50',
      '0',
      '255',
      '\\tcp',
      '\\udp',
      '\\icmp',
      '\\igmp',
      '\\ah',
      '\\esp',
      '\\sctp',
      'vrrp',
    ]);
    const kind = this.#random(10);
    if (kind < 3) return `${this.#pick(['', 'ip ', 'ip6 '])}proto ${number}`;
    if (kind < 4) return `${this.#pick(['', 'ip ', 'ip6 '])}protochain ${number}`;
    if (kind < 8)
      return `${this.#pick(['ether', 'link'])} proto ${this.#pick('0x800 0x86dd 0x806 0x8100 6 66 224 240 254 170 0x88cc 0x9000 \\ip \\ip6 \\arp \\rarp \\atalk \\aarp \\decnet \\lat \\sca \\moprc \\mopdl \\iso \\stp \\ipx \\netbeui loopback'.split(' '))}`;
    if (kind < 9) return `iso proto ${this.#pick(['\\clnp', '\\esis', '\\isis', '0x81', '131'])}`;
    return `isis proto ${this.#pick(['15', '18', '27', '31'])}`;
  }

  #number(): string {
    return this.#pick(
      '0 1 2 3 4 5 6 8 0x0f 0xf0 0xff 0x1fff 0xffff 0xffffff00 80 17 128 255 256 1000 0x80000000 0xffffffff 010'.split(
        ' ',
      ),
    );
  }

  #index(depth: number): string {
    const protocol = this.#pick(
      'ip ip ip ip6 ip6 tcp tcp udp icmp icmp6 ether ether link arp rarp sctp igmp pim vrrp carp igrp atalk decnet lat sca moprc mopdl'.split(
        ' ',
      ),
    );
    const offset =
      depth > 0 && this.#chance(15)
        ? this.#arithmetic(depth - 1)
        : this.#pick(
            '0 1 2 6 8 9 12 16 20 0xffffffff len tcpflags icmptype icmpcode icmp6type icmp6code'.split(' '),
          );
    const size = this.#pick(['', '', '', ':1', ':2', ':2', ':4', ':4', ':3']);
    return `${protocol}[${offset}${this.#chance(95) && size === ':3' ? '' : size}]`;
  }

  #arithmetic(depth: number): string {
    const kind = this.#random(10);
    if (depth === 0 || kind < 4) return this.#operand(depth);
    if (kind < 5) return `(${this.#arithmetic(depth - 1)})`;
    if (kind < 6 && this.#chance(30)) return `- ${this.#arithmetic(depth - 1)}`;
    const operator = this.#pick(['&', '&', '&', '+', '-', '*', '/', '%', '|', '^', '<<', '>>']);
    const right =
      operator === '<<' || operator === '>>'
        ? this.#pick(['1', '2', '4', '8', '16'])
        : this.#arithmetic(depth - 1);
    return `${this.#arithmetic(depth - 1)} ${operator} ${right}`;
  }

  #operand(depth: number): string {
    const kind = this.#random(10);
    if (kind < 6) return this.#index(depth);
    if (kind < 7) return this.#pick(['len', 'length']);
    if (kind < 8)
      return this.#pick(
        'tcp-syn tcp-fin tcp-cwr icmp-echo icmp-unreach icmp6-echo icmp6-redirect'.split(' '),
      );
    return this.#number();
  }

  #relation(): string {
    const operator = this.#pick(['=', '==', '!=', '<', '>', '<=', '>=']);
    const left = this.#chance(90) ? this.#index(1) : this.#number();
    const masked = this.#chance(50)
      ? left
      : `${left} ${this.#pick(['&', '&', '+', '-', '>>', '|'])} ${this.#pick(['1', '2', '4', '0x0f'])}`;
    if (this.#chance(60)) return `${masked} ${operator} ${this.#number()}`;
    return `${this.#arithmetic(2)} ${operator} ${this.#arithmetic(2)}`;
  }

  #special(): string {
    return this.#pick([
      'broadcast',
      'multicast',
      'ether broadcast',
      'ether multicast',
      'ip multicast',
      'ip6 multicast',
      'vlan',
      'vlan 5',
      'vlan (7)',
      'vlan and ip',
      'mpls',
      'mpls 100',
      'pppoed',
      'pppoes',
      'pppoes 5',
      'geneve',
      'geneve 5',
      'llc',
      `llc ${this.#pick('i s u rr rnr rej ui ua disc dm sabme test xid frmr'.split(' '))}`,
      'ip broadcast',
    ]);
  }

  #linkTypeWord(): string {
    const mac = this.#pick([
      'ff:ff:ff:ff:ff:ff',
      '2:0:0:0:0:a',
      '00-11-22-33-44-55',
      '0011.2233.4455',
      '001122334455',
    ]);
    if (this.#linkType === 105 && this.#chance(70)) return this.#wlan(mac);
    if (this.#linkType === 117 && this.#chance(70)) return this.#pflog();
    return `ether ${this.#pick(['host ', 'src ', 'dst ', 'src or dst ', 'src and dst ', 'src host '])}${mac}`;
  }

  #wlan(mac: string): string {
    if (this.#chance(50))
      return `wlan ${this.#pick(['src ', 'dst ', 'host ', 'src and dst ', 'ra ', 'ta ', 'addr1 ', 'addr2 ', 'addr3 ', 'addr4 '])}${mac}`;
    const named = this.#pick(WLAN_SUBTYPES);
    if (this.#chance(40))
      return `${this.#pick(['', 'wlan ', `type ${this.#pick(['mgt', 'management', 'ctl', 'control', 'data', '0', '4', '8'])} `])}subtype ${named}`;
    return this.#pick([
      'type mgt',
      'type ctl',
      'type data',
      'wlan type 4',
      'subtype beacon',
      'subtype ack',
      'type data subtype qos-data',
      'type mgt subtype probe-req',
      'type ctl subtype 0xd0',
      'subtype null',
      'dir tods',
      'dir fromds',
      'dir 3',
      'dir nods',
    ]);
  }

  #pflog(): string {
    return this.#pick([
      `reason ${this.#pick(PFLOG_REASONS)}`,
      `action ${this.#pick(PFLOG_ACTIONS)}`,
      'ifname en0',
      'on lo0',
      'rset testruleset2',
      'ruleset lo0',
      'rnr 1',
      'rulenum 3',
      'srnr 2',
      'subrulenum 4',
      'reason match',
      'reason short',
      'reason 4',
      'action pass',
      'action block',
      'action rdr',
      'inbound',
      'outbound',
    ]);
  }
}

/** Spoils an expression: characters and words lost, doubled, exchanged or put in. */
export function mutated(expression: string, random: Random): string {
  let text = expression;
  const rounds = 1 + random(3);
  for (let round = 0; round < rounds; round++) text = spoiled(text, random);
  return text;
}

const PIECES =
  '( ) [ ] : / and or not ! & | ^ % - * << 0 1 0x 99999999999 :: 1.2 1.2.3.4 ip tcp port host proto \\ $ \u0000 \u00e9 vlan geneve len "'.split(
    ' ',
  );

function spoiled(text: string, random: Random): string {
  const at = random(text.length + 1);
  const piece = PIECES[random(PIECES.length)] ?? '';
  switch (random(6)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1 + random(4));
    case 1:
      return `${text.slice(0, at)} ${piece} ${text.slice(at)}`;
    case 2:
      return text.slice(0, at) + piece + text.slice(at);
    case 3:
      return text.slice(0, at) + String.fromCharCode(32 + random(95)) + text.slice(at + 1);
    case 4:
      return text + text.slice(at);
    default:
      return text.slice(at) + text.slice(0, at);
  }
}
